//! Whether what a network carries along a direction is its derivative: against differences of what it
//! gives, and of its gradients.

use std::sync::OnceLock;

use kiln::burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use kiln::burn::tensor::{FloatDType, Gradients};
use kiln::data::TensorData;
use kiln::model::{Model, ModelConfig, Upload};
use kiln::tangent::{Dual, Lift, Pass};
use kiln::{Device, Tensor};

use crate::drawn::{self, Drawn, Numbers, is_trained};
use crate::{Lcg, is_slow};

/// What a derivative may be off by, in double precision, of the largest number of its tensors.
const TOLERANCE: f64 = 1e-6;

/// The device that differentiates, in the precision that this process computes in: the first call says
/// it. A GPU has single precision alone.
///
/// # Panics
///
/// Where there is none, or it was used before.
pub fn device_in(precision: FloatDType) -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let device = DEVICE.get_or_init(|| {
        let mut device = crate::device();
        if !is_slow() {
            let configured = device.configure(precision);
            configured.expect("nothing was computed before");
        }
        device.autodiff()
    });
    device.clone()
}

/// The numbers of what comes out of a network, and their derivatives.
pub trait Flat: Clone {
    /// Behind each other.
    fn flat(self) -> [Vec<f64>; 2];
}

impl<const D: usize> Flat for Dual<D> {
    fn flat(self) -> [Vec<f64>; 2] {
        let tangent = self.tangent.unwrap_or_else(|| self.value.zeros_like());
        [self.value, tangent].map(|x| x.into_data().iter::<f64>().collect())
    }
}

impl<A: Flat, B: Flat> Flat for (A, B) {
    fn flat(self) -> [Vec<f64>; 2] {
        let [values, tangents] = self.0.flat();
        let [more, along] = self.1.flat();
        [[values, more].concat(), [tangents, along].concat()]
    }
}

/// The parameters of a network behind each other, or their gradients.
struct Parameters<'a> {
    path: Vec<String>,
    of: Option<&'a Gradients>,
    numbers: Vec<f64>,
}

impl Parameters<'_> {
    fn of<M: Module>(model: &M, of: Option<&Gradients>) -> Vec<f64> {
        let mut parameters = Parameters {
            path: Vec::new(),
            of,
            numbers: Vec::new(),
        };
        model.visit(&mut parameters);
        parameters.numbers
    }
}

impl ModuleVisitor for Parameters<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !is_trained(&self.path) {
            return;
        }
        let value = param.val();
        let data = match self.of {
            None => value.into_data(),
            Some(gradients) => {
                let zeros = || value.clone().inner().zeros_like();
                value.grad(gradients).unwrap_or_else(zeros).into_data()
            }
        };
        self.numbers.extend(data.iter::<f64>());
    }
}

/// Moves the parameters.
struct Move {
    path: Vec<String>,
    by: std::vec::IntoIter<f64>,
}

impl ModuleMapper for Move {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !is_trained(&self.path) {
            return param;
        }
        let own = param.val().into_data();
        let moved = own
            .iter::<f64>()
            .zip(&mut self.by)
            .map(|(own, by)| own + by);
        let data = TensorData::new(moved.collect::<Vec<_>>(), param.lazy_shape());
        let (id, device) = (param.id, param.lazy_device());
        param.transform_for_load(Tensor::from_data(data, &device), id)
    }
}

/// A network, a direction, and a batch.
pub struct Tried<M: Model> {
    name: String,
    /// The network.
    pub model: M,
    /// The direction.
    pub direction: M,
    /// The batch.
    pub input: M::Input,
    target: M::Target,
    /// How `batch_norm` runs.
    pub pass: Pass,
}

impl<M: Model> Tried<M>
where
    M::Input: Drawn,
    <M::Output as Lift>::Dual: Flat,
{
    /// With drawn numbers, which depend on nothing but the name.
    ///
    /// # Panics
    ///
    /// Where the configuration is not valid.
    pub fn new(name: &str, config: &M::Config, numbers: Numbers, device: &Device) -> Self {
        let seed = name.bytes().fold(17, |seed: u64, byte| {
            seed * 31 % 1_000_003 + u64::from(byte)
        });
        let lcg = &mut Lcg(seed);
        let [model, direction] = [(), ()].map(|()| drawn::network(config, device, lcg));
        let input = M::Input::draw(lcg, &config.inputs());
        let targets = config.targets().into_iter();
        let targets = targets.map(|target| drawn::target(target, numbers, lcg));
        let targets = targets.collect();
        Tried {
            name: name.to_owned(),
            model,
            direction,
            input: M::Input::upload(input, device).expect("the inputs of the network"),
            target: M::Target::upload(targets, device).expect("the targets of the network"),
            pass: Pass::new(),
        }
    }

    /// The network, moved along the direction.
    fn moved(&self, by: f64) -> M {
        let along = Parameters::of(&self.direction, None).into_iter();
        let along: Vec<_> = along.map(|number| number * by).collect();
        let mut moving = Move {
            path: Vec::new(),
            by: along.into_iter(),
        };
        self.model.clone().map(&mut moving)
    }

    /// The network's outputs, and their derivatives.
    fn outputs(&self, model: &M, direction: Option<&M>) -> [Vec<f64>; 2] {
        let pass = &mut self.pass.clone();
        model.tangent(direction, self.input.clone(), pass).flat()
    }

    /// The loss, and its derivative.
    fn loss(&self, model: &M, direction: Option<&M>) -> Dual<1> {
        let pass = &mut self.pass.clone();
        let output = model.tangent(direction, self.input.clone(), pass);
        model.loss_tangent(output, self.target.clone())
    }

    fn gradient(&self, model: &M) -> Vec<f64> {
        let gradients = self.loss(model, None).value.backward();
        Parameters::of(model, Some(&gradients))
    }

    /// The product of the loss's Hessian with the direction.
    ///
    /// # Panics
    ///
    /// Where the loss does not change along the direction.
    pub fn product(&self) -> Vec<f64> {
        let loss = self.loss(&self.model, Some(&self.direction));
        let tangent = loss.tangent.expect("the loss changes");
        Parameters::of(&self.model, Some(&tangent.backward()))
    }

    /// Fails unless the values are those of inference, and derivatives, slope and product are those that
    /// differences give, in double precision. Where there is none, only tries them.
    ///
    /// # Panics
    ///
    /// Where they are not.
    pub fn check(&self) {
        let product = self.product();
        if is_slow() {
            return;
        }
        if !self.pass.batch_statistics() {
            let model = self.model.valid();
            let output = Model::forward(&model, self.input.clone());
            let [expected, _] = output.lift().flat();
            let [values, _] = self.outputs(&self.model, Some(&self.direction));
            // On most devices Burn's layers compute a sigmoid in single precision.
            self.close("the values", &values, &expected, 1e-6);
        }
        let h = 1e-5;
        let (plus, minus) = (self.moved(h), self.moved(-h));
        let difference = |plus: Vec<f64>, minus: Vec<f64>| -> Vec<f64> {
            let pairs = plus.into_iter().zip(minus);
            pairs
                .map(|(plus, minus)| (plus - minus) / (2.0 * h))
                .collect()
        };
        let [[plus_values, _], [minus_values, _]] =
            [&plus, &minus].map(|model| self.outputs(model, None));
        let [_, tangents] = self.outputs(&self.model, Some(&self.direction));
        let expected = difference(plus_values, minus_values);
        self.close("the tangent", &tangents, &expected, TOLERANCE);

        let value = |model: &M| vec![self.loss(model, None).value.into_scalar::<f64>()];
        let loss = self.loss(&self.model, Some(&self.direction));
        let slope = loss.tangent.expect("the loss changes").into_scalar();
        let expected = difference(value(&plus), value(&minus));
        self.close("the loss's tangent", &[slope], &expected, TOLERANCE);

        let expected = difference(self.gradient(&plus), self.gradient(&minus));
        self.close("the product", &product, &expected, TOLERANCE);
    }

    /// Fails unless numbers are apart by so much of the largest at most, or of 0.1.
    ///
    /// # Panics
    ///
    /// Where they are not.
    pub fn close(&self, what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        close(
            &format!("{}: {what}", self.name),
            found,
            expected,
            tolerance,
        );
    }
}

/// Fails unless numbers are apart by so much of the largest at most, or of 0.1.
///
/// # Panics
///
/// Where they are not.
pub fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.1, |a: f64, b| a.max(b.abs()));
    let off = found.iter().zip(expected).fold(0.0, |worst: f64, (a, b)| {
        let off = (a - b).abs();
        if off.is_nan() {
            f64::INFINITY
        } else {
            worst.max(off)
        }
    });
    assert!(
        off <= tolerance * largest,
        "{what} is off by {:e}\n{found:?}\n{expected:?}",
        off / largest
    );
}

/// The product of one case, in a precision.
pub type Product = fn(FloatDType) -> Vec<f64>;

/// Fails unless the products of all cases in single precision, where kernels of ours compute, are those in
/// double precision. `test` is the name of the test that calls this.
///
/// # Panics
///
/// Where they are not.
pub fn single_precision(test: &str, cases: &[(&str, Product)]) {
    if is_slow() {
        return;
    }
    // A process computes in one precision.
    let Some(printed) = crate::alone(test, |_| ()) else {
        for (case, product) in cases {
            let product = product(FloatDType::F32);
            let product: Vec<_> = product.iter().map(f64::to_string).collect();
            println!("product {case} {}", product.join(" "));
        }
        return;
    };
    for (case, product) in cases {
        // The harness writes the test's name before the first line.
        let mut lines = printed.out.lines();
        let found = lines.find_map(|line| Some(line.split_once(&format!("product {case} "))?.1));
        let found = found.expect("each case is printed").split(' ');
        let found: Vec<_> = found
            .map(|number| number.parse().expect("a number"))
            .collect();
        let what = format!("{case}: the product in single precision");
        close(&what, &found, &product(FloatDType::F64), 1e-3);
    }
}

/// Fails unless every entry of the tables in the macros' files in `folder`, which begin as one of
/// `entries` do, is somewhere in `tests` behind `before`.
///
/// # Panics
///
/// Where one is not.
pub fn covers(tests: &str, before: &str, folder: &str, entries: &[&str]) {
    let folder = format!(
        "{}/../macros/src/model/{folder}",
        env!("CARGO_MANIFEST_DIR")
    );
    let files = std::fs::read_dir(folder).expect("the folder of the tables");
    let mut names = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        for entry in entries {
            let calls = text.split(entry).skip(1).map(str::trim_start);
            let first = calls.filter_map(|call| call.strip_prefix('"')?.split('"').next());
            names.extend(first.map(str::to_owned));
        }
    }
    assert!(names.len() > 10, "the tables are not where they were");
    names.retain(|name| {
        let after = |place: usize| tests[place + before.len() + name.len()..].chars().next();
        let found = format!("{before}{name}");
        let mut places = tests.match_indices(&found);
        !places.any(|(place, _)| after(place).is_none_or(|c| !c.is_alphanumeric() && c != '_'))
    });
    assert!(names.is_empty(), "not tested: {names:?}");
}
