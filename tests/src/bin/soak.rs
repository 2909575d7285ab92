//! Trains for a long time and watches its memory.

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use kiln::data::digits;
use kiln::prelude::*;
use kiln::train::{Checkpoints, Every, Flow, Hook, HookError, StepRecord};
use kiln_tests::Folder;
use serde_json::json;

model! {
    /// With running statistics and random numbers.
    pub struct Net { }
    input image: [1, 8, 8];
    let features = image -> conv2d(16, kernel: 3, padding: same) -> batch_norm -> relu
        -> conv2d(32, kernel: 3, padding: same) -> relu -> max_pool2d(2);
    let scores = features -> flatten -> linear(64) -> relu -> dropout(0.1) -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    /// Everything that has a state.
    pub struct Stateful { }
    update adamw(weight_decay: 1e-3);
    average ema(decay: 0.99);
}

schedule! {
    /// A short warmup.
    pub struct Decay { }
    peak 0.001;
    warmup(1 %) -> cosine;
}

/// Trains on the digits for many steps, with two loader threads, validation after each epoch and a
/// checkpoint every thousand steps, and compares the memory that the process holds in the last quarter
/// with that in the first. What a training has to say of its epochs grows with their number: a hundred
/// thousand steps are 560 of them at this batch.
#[derive(Parser)]
#[command(name = "soak", version)]
struct Options {
    /// How many steps, up to a whole epoch.
    #[arg(long, default_value_t = 200_000)]
    steps: usize,
    /// Write the result to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The resident memory in bytes, after each step that is recorded.
struct Watch<'a>(&'a RefCell<Vec<f64>>);

impl<M> Hook<M> for Watch<'_> {
    fn step(&mut self, _: &StepRecord, _: &M) -> Result<Flow, HookError> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: f64 = kib.ok_or("there is no VmRSS")?.parse()?;
        self.0.borrow_mut().push(kib * 1024.0);
        Ok(Flow::Continue(()))
    }
}

const BATCH: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let folder = Folder::new("soak");
    let device = default_device()?;
    let (train, test) = digits()?.split(0.8, 1)?;
    let steps_per_epoch = train.len() / BATCH;
    let memory = RefCell::new(Vec::new());
    let run = Trainer::new(
        NetConfig::new().init(&device)?,
        Stateful::new(),
        Decay::new(),
    )
    .epochs(options.steps.div_ceil(steps_per_epoch))
    .batch(BATCH)
    .log_every(200)
    .workers(2)
    .validate(&test)
    .hook(Watch(&memory))
    .checkpoints(Checkpoints::new(folder.path()).every(Every::Steps(1000)))
    .quiet()
    .fit(train)?;
    let memory = memory.into_inner();
    let quarter = memory.len() / 4;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let first = mean(&memory[..quarter]);
    let last = mean(&memory[memory.len() - quarter..]);
    let result = json!({
        "steps": run.steps,
        "seconds": run.seconds,
        "first_quarter_mib": first / 1048576.0,
        "last_quarter_mib": last / 1048576.0,
        "growth": last / first - 1.0,
    });
    println!("{result}");
    if let Some(file) = &options.json {
        fs::write(file, format!("{result}\n"))?;
    }
    Ok(())
}
