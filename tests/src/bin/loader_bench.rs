//! What the loader costs a training: the share of a step that is spent waiting for it, and the memory of
//! a training on a file that is larger than that.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use kiln::burn::optim::GradientsParams;
use kiln::data::{Augmentation, Augmented, Border, IdxFile, Loader, Sampler, mnist};
use kiln::prelude::*;
use serde_json::{Value, json};

model! {
    /// A perceptron of three layers.
    pub struct Mlp { }
    input image: [1, 28, 28];
    let scores = image -> flatten -> linear(512) -> relu -> linear(256) -> relu -> linear(10);
    output scores;
    loss cross_entropy;
}

model! {
    /// A convolutional network like LeNet-5.
    pub struct Cnn { }
    input image: [1, 28, 28];
    let scores = image
        -> conv2d(6, kernel: 5, padding: same) -> relu -> max_pool2d(2)
        -> conv2d(16, kernel: 5) -> relu -> max_pool2d(2)
        -> flatten -> linear(120) -> relu -> linear(84) -> relu -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    /// Gradient descent with momentum.
    pub struct Momentum { }
    update sgd(momentum: 0.9);
}

schedule! {
    /// The same rate throughout.
    pub struct Constant { }
    peak 0.01;
    constant;
}

/// Measures the loader, on MNIST in memory and on a file of random images on disk. Give it the machine
/// for itself: whoever else computes takes time from the workers too.
#[derive(Parser)]
#[command(name = "loader_bench", version)]
struct Options {
    /// The folder with MNIST's files; tells the share of a step that is spent waiting.
    #[arg(long, value_name = "DIR")]
    mnist: Option<PathBuf>,
    /// Epochs on MNIST that are timed; one more comes before them.
    #[arg(long, default_value_t = 2)]
    epochs: usize,
    /// Threads of the loader.
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// The size of a file that is written, trained on and removed; tells the peak of resident memory.
    #[arg(long, value_name = "GIB")]
    disk_gib: Option<u64>,
    /// The folder for that file.
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Write the figures to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut figures = json!({ "workers": options.workers });
    // First, while nothing else has been in memory.
    if let Some(gib) = options.disk_gib {
        figures["disk"] = on_disk(gib, &options)?;
        println!("disk: {}", figures["disk"]);
    }
    if let Some(folder) = &options.mnist {
        let (plain, _) = mnist(folder)?;
        let augmented = Augmented::new(
            plain.clone(),
            [
                Augmentation::Crop {
                    size: [28, 28],
                    padding: 2,
                    border: Border::Constant(0.0),
                },
                Augmentation::Rotation {
                    degrees: [-10.0, 10.0],
                    border: Border::Constant(0.0),
                },
            ],
        )?;
        let sources: [(&str, Arc<dyn Source>); 2] = [
            ("plain", Arc::new(plain)),
            ("augmented", Arc::new(augmented)),
        ];
        for (name, source) in sources {
            figures["mlp"][name] = waiting(&MlpConfig::new(), source.clone(), &options)?;
            println!("mlp, {name}: {}", figures["mlp"][name]);
            figures["cnn"][name] = waiting(&CnnConfig::new(), source, &options)?;
            println!("cnn, {name}: {}", figures["cnn"][name]);
        }
    }
    if let Some(file) = &options.json {
        fs::write(file, format!("{figures}\n"))?;
    }
    Ok(())
}

/// Trains as `kiln::train` does, and times how long it has to wait for batches.
fn waiting<C: ModelConfig>(
    config: &C,
    source: Arc<dyn Source>,
    options: &Options,
) -> Result<Value, Box<dyn Error>> {
    let batch = 128;
    let sampler = Sampler::new(source.len(), batch, 1)?;
    let steps = sampler.steps_per_epoch();
    let loader = Loader::new(source, sampler, options.workers)?;
    let device = default_device()?.autodiff();
    let mut model = config.init(&device)?.train();
    let mut updater = Momentum::new().init(&model)?;
    let (mut waited, mut first, mut total) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for epoch in 0..=options.epochs {
        let begun = Instant::now();
        let mut batches = loader.epoch(epoch, 0)?;
        let mut before = batches.next();
        let mut waits = begun.elapsed();
        let stall = waits;
        while let Some(examples) = before {
            let sound = model.valid();
            let Batch { input, target } = Batch::<C::Model>::upload(examples?, &device)?;
            let loss = model.loss(model.forward(input), target);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            let loss: f64 = loss.inner().into_scalar();
            if !loss.is_finite() {
                return Err(format!("the loss is {loss}").into());
            }
            drop(sound);
            model = updater.step(0.01, model, gradients);
            let asked = Instant::now();
            before = batches.next();
            waits += asked.elapsed();
        }
        // In the first epoch memory is asked for that the others have.
        if epoch > 0 {
            waited += waits;
            first += stall;
            total += begun.elapsed();
        }
    }
    let milliseconds = |time: Duration, count| time.as_secs_f64() * 1e3 / count as f64;
    Ok(json!({
        "share": waited.as_secs_f64() / total.as_secs_f64(),
        "step_ms": milliseconds(total, options.epochs * steps),
        "first_batch_ms": milliseconds(first, options.epochs),
    }))
}

/// Removes a file in the end, whatever the end is.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

/// One epoch of a declared network on a file of so many GiB.
fn on_disk(gib: u64, options: &Options) -> Result<Value, Box<dyn Error>> {
    let side = 28u32;
    let count = u32::try_from((gib << 30) / u64::from(side * side))?;
    let file = |name| options.folder.join(format!("kiln-loader-bench-{name}"));
    let (images, labels) = (Temporary(file("images")), Temporary(file("labels")));
    let begun = Instant::now();
    write(&images.0, &[0x0803, count, side, side], |bytes| bytes)?;
    write(&labels.0, &[0x0801, count], |byte| byte % 10)?;
    let writing = begun.elapsed().as_secs_f64();

    let before = peak()?;
    let source = IdxFile::open(&images.0, &labels.0)?;
    let model = MlpConfig::new().init(&default_device()?)?;
    let run = Trainer::new(model, Momentum::new(), Constant::new())
        .batch(1024)
        .workers(options.workers)
        .quiet()
        .fit(source)?;
    let examples = run.steps * 1024;
    Ok(json!({
        "bytes": fs::metadata(&images.0)?.len(),
        "examples": examples,
        "examples_per_second": examples as f64 / run.seconds,
        "seconds": run.seconds,
        "writing_seconds": writing,
        "peak_mb": peak()? as f64 / 1e6,
        "peak_before_mb": before as f64 / 1e6,
    }))
}

/// Writes an IDX file of random bytes, each through `map`.
fn write(path: &Path, header: &[u32], map: fn(u8) -> u8) -> Result<(), Box<dyn Error>> {
    let mut file = BufWriter::new(File::create(path)?);
    for number in header {
        file.write_all(&number.to_be_bytes())?;
    }
    let mut left: u64 = header[1..].iter().map(|&size| u64::from(size)).product();
    let mut state = 1u64;
    let mut piece = vec![0u8; 1 << 20];
    while left > 0 {
        for eight in piece.chunks_exact_mut(8) {
            // The upper bits of Knuth's MMIX, each multiplied into all of them.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let bytes = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            eight.copy_from_slice(&bytes.to_le_bytes());
            eight.iter_mut().for_each(|byte| *byte = map(*byte));
        }
        let part = left.min(piece.len() as u64);
        file.write_all(&piece[..part as usize])?;
        left -= part;
    }
    file.flush()?;
    // What the system has yet to write would compete with what is read.
    Ok(file.into_inner()?.sync_all()?)
}

/// The peak of resident memory so far, in bytes.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: u64 = kib.ok_or("there is no VmHWM")?.parse()?;
    Ok(kib * 1024)
}
