//! Keskar et al. 2017, on MNIST: does a large batch end in a sharper minimum than a small one, at the
//! same training loss?

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use kiln::burn::optim::GradientsParams;
use kiln::data::{Images, Sampler, Subset, mnist};
use kiln::flatness::{
    Flatness, FlatnessOptions, Keskar, Lanczos, Objective, SamSharpness, Slice, Trace, Volume,
    Watch,
};
use kiln::prelude::*;
use kiln_examples::{on_device, writable};
use kiln_models::{LeNet5, LeNet5Config};
use serde_json::json;

optimizer! {
    /// As in the paper, with its default settings for both batches.
    struct Adaptive;
    update adam();
}

/// Trains LeNet-5 on MNIST with Adam at a batch of 128 and at one of 8,192 until both have the same
/// training loss, measures how flat the two minima are, and cuts a slice through both.
#[derive(Parser)]
#[command(name = "sharp_flat", version)]
struct Options {
    /// The folder of MNIST's four IDX files, gzipped or not.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The number of seeds; each gives its own initial weights and order of the images.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// The training loss to stop at, the mean over the first 10,000 training images.
    #[arg(long, default_value_t = 0.05)]
    loss: f64,
    /// The learning rate of both.
    #[arg(long, default_value_t = 0.001)]
    rate: f64,
    /// The training images that flatness is measured on, the first ones.
    #[arg(long, default_value_t = 1024)]
    examples: usize,
    /// Write every figure to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the slices of the first seed to this file, an SVG.
    #[arg(long, value_name = "FILE")]
    slice: Option<PathBuf>,
}

const BATCHES: [usize; 2] = [128, 8192];
/// Epochs after which it is given up.
const MOST: usize = 200;

fn main() -> ExitCode {
    let options = Options::parse();
    on_device(|device| run(&options, device, &mut std::io::stdout().lock()))
}

fn run(options: &Options, device: &Device, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    if options.seeds == 0 {
        return Err("--seeds is at least 1, found 0".into());
    }
    for file in options.json.iter().chain(&options.slice) {
        writable(file)?;
    }
    let (train, test) = mnist(&options.data)?;
    let train = Arc::new(train);
    let first = |count: usize| Subset::new(train.clone(), (0..count.min(train.len())).collect());
    let (probe, judged) = (first(options.examples)?, first(10_000)?);
    let objective = |model: &LeNet5| {
        Objective::new(model, &probe).map(|objective| objective.watched(Watch::bars()))
    };
    let mut runs = Vec::new();
    for seed in 1..=options.seeds {
        let mut models = Vec::new();
        for batch in BATCHES {
            let start = Instant::now();
            let (model, steps, loss) = trained(options, device, seed, batch, &train, &judged)?;
            let seconds = start.elapsed().as_secs_f64();
            let accuracy = evaluate(&model, &test, 1000)?.accuracy.unwrap_or_default();
            let flatness = Flatness::measure(&objective(&model)?, &figures(seed))?;
            writeln!(
                out,
                "\nseed {seed}, batch {batch}: {steps} steps, training loss {loss:.4}, test accuracy \
                 {:.2} %, {seconds:.0} s\n{flatness}",
                100.0 * accuracy
            )?;
            out.flush()?;
            models.push(model);
            runs.push(json!({
                "seed": seed, "batch": batch, "steps": steps, "training_loss": loss,
                "test_accuracy": accuracy, "seconds": seconds, "flatness": flatness,
            }));
        }
        if let [small, large] = models.as_slice() {
            let slice = Slice::new().range(-1.0..=2.0).points(31);
            let profile = slice.between_models(small, large, objective)?;
            if let Some(file) = options.slice.as_ref().filter(|_| seed == 1) {
                std::fs::write(file, profile.svg())?;
            }
            runs.push(json!({"seed": seed, "slice": profile}));
        }
        if let Some(file) = &options.json {
            let text = serde_json::to_string_pretty(&json!({"runs": runs}))?;
            std::fs::write(file, text + "\n")?;
        }
    }
    table(&runs, out)
}

/// Trains until the loss is low enough.
fn trained(
    options: &Options,
    device: &Device,
    seed: u64,
    batch: usize,
    train: &Images,
    judged: &Subset<Images>,
) -> Result<(LeNet5, usize, f64), Box<dyn Error>> {
    device.seed(seed);
    let mut model = LeNet5Config::new().init(device)?.train();
    let mut updater = Adaptive::new().init(&model)?;
    let sampler = Sampler::new(train.len(), batch, seed)?;
    let device = device.clone().autodiff();
    let mut steps = 0;
    for epoch in 0..MOST {
        let order = sampler.epoch(epoch);
        for step in 0..sampler.steps_per_epoch() {
            let examples = train.gather(order.batch(step))?;
            let Batch { input, target } = Batch::<LeNet5>::upload(examples, &device)?;
            let loss = Model::loss(&model, model.forward(input), target);
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = updater.step(options.rate, model, gradients);
            steps += 1;
            // The small batch passes by the loss within an epoch.
            if steps % 50 == 0 || step + 1 == sampler.steps_per_epoch() {
                let loss = evaluate(&model, judged, 1000)?.loss;
                if loss <= options.loss {
                    return Ok((model.valid(), steps, loss));
                }
            }
        }
    }
    let wanted = options.loss;
    Err(format!("a batch of {batch} has no loss of {wanted} after {MOST} epochs").into())
}

fn figures(seed: u64) -> FlatnessOptions {
    FlatnessOptions::none()
        .eigenvalues(Lanczos::new().top(1).bottom(1).tolerance(1e-2).seed(seed))
        .trace(Trace::hutchinson().tolerance(0.05).seed(seed))
        .keskar(Keskar::new().epsilon(1e-3).seed(seed))
        .keskar(Keskar::new().epsilon(5e-4).seed(seed))
        .sam(SamSharpness::one_step())
        .sam(SamSharpness::maximised().seed(seed))
        .volume(Volume::new().directions(50).seed(seed))
}

/// A line for each figure: the mean and the standard deviation over the seeds, of both batches. One seed
/// has no deviation.
fn table(runs: &[serde_json::Value], out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let of = |batch: usize, read: &dyn Fn(&serde_json::Value) -> Option<f64>| {
        let runs = runs.iter().filter(|run| run["batch"] == batch);
        let values: Vec<f64> = runs.filter_map(read).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        match values.len() {
            0 => "-".to_owned(),
            1 => format!("{mean:>14.5} ± {:<11}", "-"),
            _ => format!("{mean:>14.5} ± {:<11.5}", (squares / (count - 1.0)).sqrt()),
        }
    };
    writeln!(
        out,
        "\nKeskar's measure is a lower bound by projected gradient ascent; the paper's values are by \
         L-BFGS-B, and\nthese are to be compared with one another alone.\n\n{:56} {:>28} {:>28}",
        "mean ± deviation", "batch 128", "batch 8192"
    )?;
    let mut line = |name: &str, read: &dyn Fn(&serde_json::Value) -> Option<f64>| {
        let [small, large] = BATCHES.map(|batch| of(batch, read));
        writeln!(out, "{name:56} {small:>28} {large:>28}")
    };
    for name in ["steps", "training_loss", "test_accuracy"] {
        line(name, &|run| run[name].as_f64())?;
    }
    let named = runs
        .first()
        .and_then(|run| run["flatness"]["figures"].as_array());
    for figure in named.into_iter().flatten() {
        let name = figure["name"].as_str().unwrap_or_default();
        line(name, &|run| {
            let figures = run["flatness"]["figures"].as_array()?;
            let figure = figures.iter().find(|figure| figure["name"] == name)?;
            figure["value"].as_f64()
        })?;
    }
    Ok(())
}
