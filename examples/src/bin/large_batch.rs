//! MNIST at a batch of 128 and at one of 8,192: what a large batch costs, and what wins it back.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use kiln::burn::optim::GradientsParams;
use kiln::data::{Images, Subset, mnist};
use kiln::optim::{TrustRatios, trust_ratios};
use kiln::prelude::*;
use kiln::train::TrainError;
use kiln_examples::{on_device, writable};
use serde::Serialize;
use serde_json::json;

model! {
    /// LeNet-5 with batch normalisation.
    pub struct Net;

    input image: [1, 28, 28];

    let features = image
        -> conv2d(6, kernel: 5, padding: 2) -> batch_norm -> relu -> max_pool2d(2)
        -> conv2d(16, kernel: 5) -> batch_norm -> relu -> max_pool2d(2);
    let scores = features
        -> flatten -> linear(120) -> batch_norm -> relu -> linear(84) -> batch_norm -> relu
        -> linear(10);

    output scores;
    loss cross_entropy(label_smoothing: 0.1);
}

optimizer! {
    /// Momentum; biases and norms are not decayed.
    pub struct Sgd { momentum: f64 = 0.9, decay: f64 = 5e-4 }

    update sgd(momentum: momentum, weight_decay: decay);
    update sgd(momentum: momentum) for bias, norm;
}

optimizer! {
    /// You, Gitman and Ginsburg 2017: each layer's rate follows the size of its weights.
    pub struct Lars { momentum: f64 = 0.9, decay: f64 = 5e-4 }

    update lars(momentum: momentum, weight_decay: decay, trust_coefficient: 0.001);
    update sgd(momentum: momentum, lr: 0.01x) for bias, norm;
}

schedule! {
    /// The rate that was found for the small batch, whatever the batch is.
    pub struct Same { base: f64 }

    peak base;
    cosine;
}

schedule! {
    /// Krizhevsky 2014, Goyal et al. 2017: twice the batch, twice the rate.
    pub struct Linear { base: f64 }

    peak base per 128 examples;
    cosine;
}

schedule! {
    /// The same, reached gradually.
    pub struct Warmup { base: f64 }

    peak base per 128 examples;
    warmup(20 %) -> cosine;
}

/// Trains LeNet-5 on MNIST at a batch of 128 and at a batch of 8,192, for the same number of
/// epochs: with the small batch's rate, with linear scaling, with a warmup, and with LARS.
#[derive(Parser)]
#[command(name = "large_batch", version)]
struct Options {
    /// The folder of MNIST's four IDX files, gzipped or not.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// How often to go through the training images.
    #[arg(long, default_value_t = 15)]
    epochs: usize,
    /// The number of seeds; each gives its own initial weights and order of the images.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The learning rate of the small batch.
    #[arg(long, default_value_t = 0.05)]
    rate: f64,
    /// The learning rate of LARS per 128 examples.
    #[arg(long, default_value_t = 0.5)]
    lars_rate: f64,
    /// Learn from the first 50,000 training images and test on the other 10,000: to choose the
    /// rates by.
    #[arg(long)]
    tune: bool,
    /// Write the result to this file as one JSON object, after every training.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const SMALL: usize = 128;
const LARGE: usize = 8192;

/// What a training came to.
#[derive(Clone, Copy, Serialize)]
struct Outcome {
    seed: u64,
    /// Of the last model with finite weights.
    test_accuracy: f64,
    steps: u64,
    seconds: f64,
    /// Whether the loss was no number any more before the end.
    diverged: bool,
}

/// A way to train, and what it came to.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    batch: usize,
    /// The highest learning rate.
    peak: f64,
    runs: Vec<Outcome>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    on_device(|device| run(&options, device, &mut std::io::stdout().lock()))
}

fn run(options: &Options, device: &Device, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    if let Some(file) = &options.json {
        writable(file)?;
    }
    let (train, test) = mnist(&options.data)?;
    let (train, test) = (Arc::new(train), Arc::new(test));
    let part = |images: &Arc<Images>, range| Subset::new(images.clone(), Vec::from_iter(range));
    let (train, test) = match options.tune {
        true => (part(&train, 0..50_000)?, part(&train, 50_000..60_000)?),
        false => (part(&train, 0..train.len())?, part(&test, 0..test.len())?),
    };
    let study = Study {
        options,
        device,
        train,
        test,
    };
    writeln!(out, "{}\n", study.trust_ratios()?)?;
    let (base, lars) = (options.rate, options.lars_rate);
    let scale = LARGE as f64 / SMALL as f64;
    let mut rows = Vec::new();
    for (name, batch, peak) in [
        ("small batch", SMALL, base),
        ("the small batch's rate", LARGE, base),
        ("linear scaling", LARGE, scale * base),
        ("linear scaling, warmup", LARGE, scale * base),
        ("LARS, linear scaling, warmup", LARGE, scale * lars),
    ] {
        let runs = Vec::new();
        rows.push(Row {
            name,
            batch,
            peak,
            runs,
        });
    }
    for seed in 1..=options.seeds {
        for row in 0..rows.len() {
            let batch = rows[row].batch;
            let outcome = match row {
                0 | 1 => study.train(Sgd::new(), Same::new(base), batch, seed)?,
                2 => study.train(Sgd::new(), Linear::new(base), batch, seed)?,
                3 => study.train(Sgd::new(), Warmup::new(base), batch, seed)?,
                _ => study.train(Lars::new(), Warmup::new(lars), batch, seed)?,
            };
            if std::io::stderr().is_terminal() {
                let name = rows[row].name;
                eprintln!(
                    "{name}, seed {seed}: {:.2} %",
                    100.0 * outcome.test_accuracy
                );
            }
            rows[row].runs.push(outcome);
            study.save(&rows)?;
        }
    }
    print(&rows, options, out)
}

struct Study<'a> {
    options: &'a Options,
    device: &'a Device,
    train: Subset<Images>,
    test: Subset<Images>,
}

impl Study<'_> {
    /// The layers before the first step: why one rate does not fit them all.
    fn trust_ratios(&self) -> Result<TrustRatios, Box<dyn Error>> {
        let device = self.device.clone().autodiff();
        device.seed(1);
        let model = NetConfig::new().init(&device)?;
        let images = self.train.gather(&Vec::from_iter(0..1024))?;
        let Batch { input, target } = Batch::<Net>::upload(images, &device)?;
        let loss = model.loss(model.forward(input), target);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        Ok(trust_ratios(&model, &gradients))
    }

    fn train<O: Optimizer, S: Schedule>(
        &self,
        optimizer: O,
        schedule: S,
        batch: usize,
        seed: u64,
    ) -> Result<Outcome, Box<dyn Error>> {
        self.device.seed(seed);
        let model = NetConfig::new().init(self.device)?;
        let run = Trainer::new(model, optimizer, schedule)
            .epochs(self.options.epochs)
            .batch(batch)
            // Batch statistics over as many examples as the small batch has, as on the many
            // devices that a large batch is usually spread over (Goyal et al. 2017, 2.3).
            .micro_batches(batch / SMALL)
            .seed(seed)
            .quiet()
            .fit(self.train.clone());
        let (trained, diverged) = match run {
            Ok(trained) => (trained, false),
            Err(failure) => match failure.error {
                TrainError::NonFinite { .. } | TrainError::Diverged { .. } => {
                    (*failure.trained, true)
                }
                error => return Err(error.into()),
            },
        };
        let test = evaluate(&trained.model, &self.test, 1000)?;
        Ok(Outcome {
            seed,
            test_accuracy: test.accuracy.ok_or("the loss knows no right or wrong")?,
            steps: trained.steps,
            seconds: trained.seconds,
            diverged,
        })
    }

    /// What is there so far, so that nothing is lost.
    fn save(&self, rows: &[Row]) -> Result<(), Box<dyn Error>> {
        let Some(file) = &self.options.json else {
            return Ok(());
        };
        let result = json!({
            "epochs": self.options.epochs,
            "training_images": self.train.len(),
            "test_images": self.test.len(),
            "device": kiln::device::name(self.device),
            "rows": rows,
        });
        std::fs::write(file, format!("{result:#}\n"))
            .map_err(|error| format!("cannot write {}: {error}", file.display()).into())
    }
}

fn print(rows: &[Row], options: &Options, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "{:30} {:>6} {:>8} {:>6}   test accuracy in %",
        format!("{} epochs, {} seeds", options.epochs, options.seeds),
        "batch",
        "peak",
        "steps",
    )?;
    for row in rows {
        let shown = row.runs.iter().map(|run| {
            let mark = if run.diverged { " (diverged)" } else { "" };
            format!("{:.2}{mark}", 100.0 * run.test_accuracy)
        });
        let shown = shown.collect::<Vec<_>>().join("  ");
        let sum: f64 = row.runs.iter().map(|run| run.test_accuracy).sum();
        let mean = 100.0 * sum / row.runs.len().max(1) as f64;
        let steps = row.runs.iter().map(|run| run.steps).max().unwrap_or(0);
        writeln!(
            out,
            "{:30} {:>6} {:>8.4} {steps:>6}   mean {mean:.2}: {shown}",
            row.name, row.batch, row.peak,
        )?;
    }
    Ok(())
}
