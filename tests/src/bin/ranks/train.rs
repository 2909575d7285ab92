//! A training on digits, told by `key=value`.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::{Command, id};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use kiln::burn::tensor::FloatDType;
use kiln::data::{DataError, Draw, Examples, Source, Subset, Target, TensorData, digits, mnist};
use kiln::exchange::{Exchange, ExchangeError, Mpi};
use kiln::prelude::*;
use kiln::train::{Checkpoints, EpochRecord, Every, Flow, Hook, HookError};
use kiln_tests::{device, tensors};
use serde_json::json;

use super::Outcome;

model! {
    struct Plain { size: usize = 8, hidden: usize = 64 }
    input image: [1, size, size];
    // Smooth: the slope of a ReLU jumps where rounding moves an input across 0, and weights part.
    let scores = image -> flatten -> linear(hidden) -> tanh -> linear(10);
    output scores;
    loss cross_entropy;
}

model! {
    struct Dropping { size: usize = 8 }
    input image: [1, size, size];
    let scores = image -> flatten -> linear(64) -> relu -> dropout(0.3) -> linear(10);
    output scores;
    loss cross_entropy;
}

model! {
    struct Normed { size: usize = 8 }
    input image: [1, size, size];
    let scores = image -> flatten -> linear(64) -> batch_norm -> relu -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    /// With a memory, and a clip that cuts most steps.
    struct Momentum;
    update sgd(momentum: 0.9, weight_decay: 1e-4);
    clip global_norm(0.5);
}

optimizer! {
    struct Sharpness;
    update sgd(momentum: 0.9);
    sharpness sam(rho: 0.05);
    average ema(decay: 0.9);
}

optimizer! {
    struct Mean;
    update sgd(momentum: 0.9);
    average swa(from: 50%, every: 1 epoch);
}

optimizer! {
    struct QuasiNewton;
    update lbfgs(max_iter: 3);
}

optimizer! {
    struct Curvature;
    update newton_cg();
}

schedule! {
    struct Scaled { peak: f64 = 0.3 }
    peak peak per 256 examples;
    warmup(10%, from: 0.0) -> plateau(on: "noise", mode: min, patience: 1 epoch, factor: 0.5);
}

/// What a training is told.
pub struct Told<'a>(pub Vec<(&'a str, &'a str)>);

impl Told<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(found, _)| *found == key)
            .map(|(_, value)| *value)
    }

    fn number(&self, key: &str, otherwise: usize) -> usize {
        self.text(key)
            .map_or(otherwise, |value| value.parse().expect("a number"))
    }
}

pub fn train(exchange: &Mpi, told: &Told) -> Outcome {
    match told.text("net") {
        Some("dropping") => with(exchange, told, DroppingConfig::new().with_size(size(told))),
        Some("normed") => with(exchange, told, NormedConfig::new().with_size(size(told))),
        _ => {
            let config = PlainConfig::new().with_size(size(told));
            with(
                exchange,
                told,
                config.with_hidden(told.number("hidden", 64)),
            )
        }
    }
}

fn size(told: &Told) -> usize {
    if told.text("mnist").is_some() { 28 } else { 8 }
}

fn with<C: ModelConfig>(exchange: &Mpi, told: &Told, config: C) -> Outcome {
    match told.text("optimizer") {
        Some("sam") => run(exchange, told, config, Sharpness::new()),
        Some("swa") => run(exchange, told, config, Mean::new()),
        Some("lbfgs") => run(exchange, told, config, QuasiNewton::new()),
        Some("newton_cg") => run(exchange, told, config, Curvature::new()),
        _ => run(exchange, told, config, Momentum::new()),
    }
}

fn run<C: ModelConfig, O: Optimizer>(
    exchange: &Mpi,
    told: &Told,
    config: C,
    optimizer: O,
) -> Outcome {
    let rank = exchange.rank();
    // The rank that is different.
    let other = told.text("other").filter(|_| rank == 2);
    let mut device = device();
    if told.text("double").is_some() {
        device.configure(FloatDType::F64)?;
    }
    // Each draws other weights; those of rank 0 are taken.
    device.seed(3 + rank as u64);
    let model = config.init(&device)?;
    let (source, validation) = examples(told)?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let gathered = Arc::new(AtomicUsize::new(0));
    let source = Watched {
        source,
        seen: seen.clone(),
        asked: AtomicUsize::new(0),
        gathered: gathered.clone(),
        ill: other.map(str::to_owned),
    };
    let timed = Timed {
        exchange,
        seconds: Cell::new(0.0),
        wrong: other == Some("sum"),
    };
    let schedule = match other {
        Some("peak") => Scaled::new().with_peak(0.1),
        _ => Scaled::new().with_peak(
            told.text("peak")
                .map_or(0.3, |peak| peak.parse().expect("a number")),
        ),
    };
    let mut trainer = Trainer::new(model, optimizer, schedule)
        .epochs(told.number("epochs", 4))
        .batch(if other == Some("batch") {
            128
        } else {
            told.number("batch", 256)
        })
        .micro_batches(told.number("micro", 1))
        .seed(if other == Some("seed") { 5 } else { 4 })
        .validate(&*validation)
        // Where it is called it is another number each time.
        .metric("noise", move |_| rank as f64)
        .log_every(2)
        .exchange(&timed)
        .quiet();
    if told.text("stop").is_some() {
        trainer = trainer.hook(Stop);
    }
    if let Some(folder) = told.text("checkpoints") {
        let checkpoints = Checkpoints::new(folder).every(Every::Steps(5)).resume(true);
        trainer = trainer.checkpoints(checkpoints);
    }
    let run = trainer.fit(source).map_err(|failure| failure.error)?;
    let tensors = tensors(&run.model);
    let weights: BTreeMap<_, _> = tensors
        .iter()
        .map(|(path, data)| (path, data.iter::<f64>().collect::<Vec<_>>()))
        .collect();
    let history: Vec<EpochRecord> = run.history;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(json!({
        "weights": weights,
        "history": history,
        "steps": run.steps,
        "seconds": run.seconds,
        "exchanging": timed.seconds.get(),
        "stopped": run.stopped,
        "seen": *seen,
        "gathered": gathered.load(Ordering::Relaxed),
    }))
}

type Boxed = Box<dyn Source>;

/// 1,280 digits to train on, five steps of 256, or MNIST; and others to validate.
fn examples(told: &Told) -> Result<(Boxed, Boxed), Box<dyn std::error::Error>> {
    if let Some(folder) = told.text("mnist") {
        let (train, validation) = mnist(folder)?;
        // 100 steps of 256.
        let train = Subset::new(
            Arc::new(train),
            (0..told.number("examples", 25_600)).collect(),
        )?;
        return Ok((Box::new(train), Box::new(validation)));
    }
    let (train, validation) = digits()?.split(1280.0 / 1797.0, 5)?;
    Ok((Box::new(train), Box::new(validation)))
}

/// Keeps what it was asked for, and falls ill in the middle of the training if it is to.
struct Watched {
    source: Boxed,
    seen: Arc<Mutex<Vec<Vec<usize>>>>,
    asked: AtomicUsize,
    /// Batches that are not to train on.
    gathered: Arc<AtomicUsize>,
    ill: Option<String>,
}

impl Source for Watched {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        self.source.inputs()
    }

    fn targets(&self) -> Vec<Target> {
        self.source.targets()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        self.gathered.fetch_add(1, Ordering::Relaxed);
        self.source.gather(indices)
    }

    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        // What trainings are compared by, before the first step: examples from all over.
        let (len, count) = (self.source.len(), indices.len());
        if indices
            .iter()
            .enumerate()
            .all(|(place, index)| *index == place * len / count)
        {
            return self.source.draw(indices, draw);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(indices.to_vec());
        let mut examples = self.source.draw(indices, draw)?;
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let signal = |signal: &str| {
            let killed = Command::new("kill")
                .args([signal, &id().to_string()])
                .status();
            killed.map_err(|error| DataError::Source(error.into()))
        };
        match self.ill.as_deref().filter(|_| asked == 12) {
            Some("data") => return Err(DataError::Source("the cable is out".into())),
            Some("panic") => panic!("the source panics"),
            Some("kill") => drop(signal("-9")?),
            Some("term") => drop(signal("-TERM")?),
            Some("nan") => {
                let input = &mut examples.inputs[0];
                let mut numbers: Vec<f32> = input.iter::<f32>().collect();
                numbers[7] = f32::NAN;
                *input = TensorData::new(numbers, input.shape().clone());
            }
            _ => {}
        }
        Ok(examples)
    }
}

/// Tells for how long gradients are exchanged, waiting for the slowest included.
struct Timed<'a> {
    exchange: &'a Mpi,
    seconds: Cell<f64>,
    /// Whether its sums are a little off.
    wrong: bool,
}

impl Exchange for Timed<'_> {
    fn rank(&self) -> usize {
        self.exchange.rank()
    }

    fn ranks(&self) -> usize {
        self.exchange.ranks()
    }

    fn sum(&self, numbers: &mut [f32]) -> Result<(), ExchangeError> {
        let start = Instant::now();
        let summed = self.exchange.sum(numbers);
        let seconds = start.elapsed().as_secs_f64();
        self.seconds.set(self.seconds.get() + seconds);
        if let (true, Some(number)) = (self.wrong, numbers.first_mut()) {
            *number += 1e-4;
        }
        summed
    }

    fn sum_double(&self, numbers: &mut [f64]) -> Result<(), ExchangeError> {
        self.exchange.sum_double(numbers)
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), ExchangeError> {
        self.exchange.broadcast(bytes)
    }

    fn fail(&self, message: &str) {
        self.exchange.fail(message);
    }
}

/// Ends the training after six steps.
struct Stop;

impl<M: Model> Hook<M> for Stop {
    fn step(&mut self, step: &kiln::train::StepRecord, _: &M) -> Result<Flow, HookError> {
        Ok(match step.step {
            6 => ControlFlow::Break("six are enough".to_owned()),
            _ => ControlFlow::Continue(()),
        })
    }
}
