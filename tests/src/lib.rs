//! Tests that cross crates, and what they share.

pub mod drawn;
pub mod networks;
pub mod peers;
pub mod tangents;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kiln::burn::module::{Module, ModuleVisitor, Param};
use kiln::burn::tensor::Gradients;
use kiln::data::TensorData;
use kiln::{Device, Tensor, device};

/// The device that the tests run on: what `KILN_DEVICE` names, as for every program.
///
/// # Panics
///
/// Where there is none: a test cannot go on without it.
pub fn device() -> Device {
    device::default_device().unwrap_or_else(|error| panic!("{error}"))
}

/// Whether long trainings should be cut short: a GPU in software takes 20 times as long.
pub fn is_slow() -> bool {
    device::name(&device()) == "wgpu"
}

/// A linear congruential generator (Knuth's MMIX constants): the same cases every time.
pub struct Lcg(pub u64);

impl Lcg {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A number in `low..=high`.
    pub fn draw(&mut self, low: usize, high: usize) -> usize {
        low + self.next() as usize % (high - low + 1)
    }

    /// A number between `low` and `high`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next() as f64 / (1u64 << 31) as f64
    }
}

/// How far a number of a kernel may be from Burn's, relative to the largest of its tensor or 1.
const TOLERANCE: f64 = 1e-5;

/// Panics unless `ours` is `burns` up to rounding: each number is the same, or both are NaN, or they
/// are apart by at most 1e-5 of the largest of the tensor, or of 1 if that is larger.
///
/// # Panics
///
/// If they are not.
pub fn assert_close<const D: usize>(what: &str, ours: Tensor<D>, burns: Tensor<D>) {
    assert_eq!(ours.dims(), burns.dims(), "{what}");
    let (ours, burns) = (ours.into_data(), burns.into_data());
    let finite = burns.iter::<f64>().filter(|number| number.is_finite());
    // The cases are made of numbers around 1, so smaller ones are what is left of sums of those.
    let largest = finite.fold(1.0, |a: f64, b| a.max(b.abs()));
    for (index, (x, y)) in ours.iter::<f64>().zip(burns.iter::<f64>()).enumerate() {
        let same = x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= TOLERANCE * largest;
        assert!(
            same,
            "{what}: number {index} is {x}, Burn's is {y}; the largest is {largest}"
        );
    }
}

/// Held by every test that draws random numbers whose values matter.
///
/// The CPU devices of Burn have one random stream in a program, and a training seeds it at every
/// step; without this a test beside it would take numbers out of its stream.
pub fn lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    // A failed test says nothing about the next one.
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every tensor of a module by its path, running statistics included.
pub fn tensors<M: Module>(module: &M) -> BTreeMap<String, TensorData> {
    struct Collect {
        path: Vec<String>,
        tensors: BTreeMap<String, TensorData>,
    }
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let old = self
                .tensors
                .insert(self.path.join("."), param.val().into_data());
            assert!(
                old.is_none(),
                "two parameters have the path {}",
                self.path.join(".")
            );
        }
    }
    let mut collect = Collect {
        path: Vec::new(),
        tensors: BTreeMap::new(),
    };
    // Running statistics may wait to be taken over; this takes them over.
    module.valid().visit(&mut collect);
    collect.tensors
}

/// The gradient of every parameter that has one, by its path.
pub fn gradients<M: Module>(module: &M, gradients: &Gradients) -> BTreeMap<String, TensorData> {
    struct Collect<'a> {
        path: Vec<String>,
        gradients: &'a Gradients,
        found: BTreeMap<String, TensorData>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad(self.gradients) {
                self.found.insert(self.path.join("."), gradient.into_data());
            }
        }
    }
    let mut collect = Collect {
        path: Vec::new(),
        gradients,
        found: BTreeMap::new(),
    };
    module.visit(&mut collect);
    collect.found
}

/// The numbers of a tensor.
pub fn numbers(data: &TensorData) -> Vec<f32> {
    data.iter::<f32>().collect()
}

/// The bits of every tensor of a module, by path: two modules are equal if and only if these are.
pub fn bits<M: Module>(module: &M) -> BTreeMap<String, Vec<u32>> {
    let tensors = tensors(module).into_iter();
    tensors
        .map(|(path, data)| (path, data.iter::<f32>().map(f32::to_bits).collect()))
        .collect()
}

/// Whether two trainings from one seed, whose [`bits`] these are, came to the same: to the last bit on
/// the processor.
///
/// On wgpu over Mesa's software Vulkan about one training in 300 rounds one gradient differently late
/// in its run (Burn 0.22.1, cubecl 0.11.3; with and without fusion; the cause is not known). That is
/// 1e-8 in most weights, but up to a learning rate where AdamW divides a gradient of nothing but
/// rounding by itself, as that of a convolution's bias in front of a batch norm. Another seed
/// or a lost step moves weights by far more.
pub fn same_training(a: &BTreeMap<String, Vec<u32>>, b: &BTreeMap<String, Vec<u32>>) -> bool {
    if !is_slow() {
        return a == b;
    }
    let numbers = |bits: &[u32]| bits.iter().copied().map(f32::from_bits).collect::<Vec<_>>();
    a.keys().eq(b.keys())
        && a.values()
            .zip(b.values())
            .all(|(a, b)| deviation(&numbers(a), &numbers(b)) < 2e-2)
}

/// The largest `|found - expected| / (1 + |expected|)`, infinite where one of the two is not
/// finite or their lengths differ.
pub fn deviation(found: &[f32], expected: &[f32]) -> f32 {
    if found.len() != expected.len() {
        return f32::INFINITY;
    }
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0, |worst, (found, expected)| {
        let off = (found - expected).abs() / (1.0 + expected.abs());
        if off.is_finite() {
            worst.max(off)
        } else {
            f32::INFINITY
        }
    })
}

/// A folder of its own for one test, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder for the test called `name`.
    ///
    /// # Panics
    ///
    /// Where there can be none.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("kiln-{}-{name}", id()));
        std::fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Folder(path)
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind in a temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a process printed.
pub struct Printed {
    /// To standard output.
    pub out: String,
    /// To standard error.
    pub err: String,
}

/// Runs the test `name` of this program alone in a process of its own, which `prepare` may give
/// variables; fails if it fails. `None` in that process: there the test does what it is about.
///
/// # Panics
///
/// If the process cannot be started, or fails.
pub fn alone(name: &str, prepare: impl FnOnce(&mut Command)) -> Option<Printed> {
    const ALONE: &str = "KILN_TEST_ALONE";
    if std::env::var_os(ALONE).is_some_and(|alone| alone == name) {
        return None;
    }
    let program = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
    let mut command = Command::new(program);
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    prepare(&mut command);
    command.env(ALONE, name);
    let output = command.output().unwrap_or_else(|error| panic!("{error}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    // A name that no test has runs nothing and succeeds.
    let passed = output.status.success() && out.contains("1 passed");
    assert!(passed, "{out}{err}");
    Some(Printed { out, err })
}
