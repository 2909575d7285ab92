//! Finds a learning rate: the range test of Smith 2017, on digits or MNIST.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use kiln::data::{digits, mnist};
use kiln::diagnose::RangeTest;
use kiln::prelude::*;
use kiln_examples::{DigitNetConfig, on_device, writable};

optimizer! {
    /// SGD with Nesterov's momentum.
    pub struct Momentum { momentum: f64 = 0.9 }

    update sgd(momentum: momentum, nesterov: true);
}

/// Trains a small residual network for some steps, with a learning rate that grows from step to
/// step until the loss explodes, and suggests a `peak` for the schedule.
///
/// Without --data it reads the 1,797 digits of UCI's "Optical Recognition of Handwritten Digits"
/// (E. Alpaydin and C. Kaynak, 1998; CC BY 4.0), which are built in. KILN_DEVICE (flex, ndarray or
/// wgpu) chooses the device.
#[derive(Parser)]
#[command(name = "lr_range", version)]
struct Options {
    /// Read MNIST from this folder (the four IDX files, gzipped or not).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The learning rate of the first step.
    #[arg(long, default_value_t = 1e-5)]
    from: f64,
    /// The learning rate of the last step.
    #[arg(long, default_value_t = 100.0)]
    to: f64,
    /// The number of steps, at most.
    #[arg(long, default_value_t = 200)]
    steps: usize,
    /// Images per step: as many as in the training that is to follow.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// The momentum.
    #[arg(long, default_value_t = 0.9)]
    momentum: f64,
    /// The seed of the initial weights and of the order of the images.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw the loss over the learning rate into this file.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write rates, losses and smoothed losses to this file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the result to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    on_device(|device| run(&options, device, &mut std::io::stdout().lock()))
}

fn run(options: &Options, device: &Device, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let files = [&options.svg, &options.csv, &options.json];
    for file in files.into_iter().flatten() {
        writable(file)?;
    }
    let (train, size) = match &options.data {
        None => (Arc::new(digits()?), 8),
        Some(folder) => (Arc::new(mnist(folder)?.0), 28),
    };
    device.seed(options.seed);
    let model = DigitNetConfig::new().with_size(size).init(device)?;
    let curve = RangeTest::new()
        .from(options.from)
        .to(options.to)
        .steps(options.steps)
        .batch(options.batch)
        .seed(options.seed)
        .run(
            &model,
            Momentum::new().with_momentum(options.momentum),
            train,
        )?;
    writeln!(out, "{curve}")?;
    let json = serde_json::to_string_pretty(&curve)? + "\n";
    let texts = [curve.svg(), curve.csv(), json];
    for (file, text) in files.into_iter().zip(texts) {
        if let Some(file) = file {
            std::fs::write(file, text)
                .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            writeln!(out, "written to {}", file.display())?;
        }
    }
    Ok(())
}
