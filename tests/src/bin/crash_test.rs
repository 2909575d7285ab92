//! Kills a training again and again, and compares what the resumed one comes to with one that was
//! never killed.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use kiln::data::digits;
use kiln::prelude::*;
use kiln::schedule::{Metric, MetricMode};
use kiln::train::{Checkpoint, Checkpoints, Every, Flow, Hook, HookError, Run, StepRecord};
use kiln_tests::{Folder, Lcg, bits};
use serde_json::json;

model! {
    /// With running statistics and random numbers.
    pub struct Net { }
    input image: [1, 8, 8];
    let features = image -> conv2d(8, kernel: 3, padding: same) -> batch_norm -> relu -> max_pool2d(2);
    let scores = features -> flatten -> linear(32) -> relu -> dropout(0.3) -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! {
    /// Everything that has a state.
    pub struct Stateful { }
    update adamw(weight_decay: 1e-3);
    clip global_norm(1.0);
    average ema(decay: 0.99);
}

schedule! {
    /// A short warmup.
    pub struct Decay { }
    peak 0.003;
    warmup(10 %) -> cosine;
}

/// Kills a training of the digits with SIGKILL at random moments and has it resumed, until it has
/// been killed so many times in all.
///
/// Of each training that was killed it compares the weights, the average of the weights, the best model
/// and every loss and metric with one that was not, to the bit. The steps that a kill cost are counted from the
/// last that the killed process had said to be done.
#[derive(Parser)]
#[command(name = "crash_test", version)]
struct Options {
    /// How many kills.
    #[arg(long, default_value_t = 200)]
    kills: usize,
    /// Steps between two checkpoints.
    #[arg(long, default_value_t = 5)]
    every: u64,
    /// Epochs of each training, of 44 steps.
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// The seed of the moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the result to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Train with the checkpoints in this folder: what is to be killed.
    #[arg(long, value_name = "DIR", hide = true)]
    child: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    match &options.child {
        Some(folder) => train(&options, folder),
        None => kill(&options),
    }
}

/// Tells the process that kills where the training is.
struct Tell;

impl<M> Hook<M> for Tell {
    fn begin(&mut self, run: &Run) -> Result<(), HookError> {
        Ok(writeln!(std::io::stdout(), "from {}", run.steps)?)
    }

    fn step(&mut self, step: &StepRecord, _: &M) -> Result<Flow, HookError> {
        writeln!(std::io::stdout(), "step {}", step.step)?;
        Ok(Flow::Continue(()))
    }
}

fn train(options: &Options, folder: &Path) -> Result<(), Box<dyn Error>> {
    let device = default_device()?;
    device.seed(1);
    let (train, test) = digits()?.split(0.8, 1)?;
    let run = Trainer::new(
        NetConfig::new().init(&device)?,
        Stateful::new(),
        Decay::new(),
    )
    .epochs(options.epochs)
    .batch(32)
    .workers(2)
    .seed(3)
    .validate(&test)
    .hook(Tell)
    .log_every(1)
    .checkpoints(
        Checkpoints::new(folder)
            .every(Every::Steps(options.every))
            .best(Metric::Accuracy, MetricMode::Max)
            .resume(true),
    )
    .quiet()
    .fit(train)?;
    let best: Net = Checkpoint::open(folder.join("best.kiln"))?.model(&device)?;
    let mut outcome = format!("{:?}{:?}", bits(&run.model), run.last.as_ref().map(bits));
    outcome += &format!("{:?}", bits(&best));
    for mut record in run.history {
        record.seconds = 0.0;
        outcome += &format!("{record:?}");
    }
    for mut record in run.log {
        record.examples_per_second = 0.0;
        outcome += &format!("{record:?}");
    }
    fs::write(folder.join("outcome"), outcome)?;
    Ok(())
}

/// A training in a process of its own, and what it says.
struct Training {
    child: Child,
    said: mpsc::Receiver<String>,
}

impl Training {
    fn start(options: &Options, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--every", &options.every.to_string()])
            .args(["--epochs", &options.epochs.to_string()])
            .arg("--child")
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("it has no output")?;
        let (sender, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Training { child, said })
    }

    /// What it goes on from, once it says so.
    fn from(&self) -> Result<u64, Box<dyn Error>> {
        let line = self.said.recv()?;
        let from = line.strip_prefix("from ").ok_or("it said something else")?;
        Ok(from.parse()?)
    }

    /// The last step that it said to be done, if any; it has ended.
    fn last(&self) -> Option<u64> {
        let said = self
            .said
            .iter()
            .filter_map(|line| line.strip_prefix("step ")?.parse().ok());
        said.last()
    }
}

fn kill(options: &Options) -> Result<(), Box<dyn Error>> {
    let folder = Folder::new("crash-test");
    let begun = Instant::now();
    let whole = folder.file("whole");
    let mut training = Training::start(options, &whole)?;
    training.from()?;
    let at_work = Instant::now();
    if !training.child.wait()?.success() {
        return Err("the training that is not killed failed".into());
    }
    let length = at_work.elapsed();
    let whole = fs::read(whole.join("outcome"))?;

    let mut random = Lcg(options.seed);
    let (mut kills, mut runs, mut identical, mut lost) = (0, 0, 0, 0);
    while kills < options.kills {
        let folder = folder.file(&runs.to_string());
        // What the last process had done when it was killed.
        let mut done: Option<u64> = None;
        loop {
            let mut training = Training::start(options, &folder)?;
            let from = training.from()?;
            if let Some(done) = done {
                lost = lost.max(done.saturating_sub(from));
            }
            // Any moment of what is left of it and a little more; a quarter of the length on
            // average, so that a training is killed several times.
            let wait = length.mul_f64(random.uniform(0.0, 0.5));
            let deadline = Instant::now() + wait;
            let ended = loop {
                match training.child.try_wait()? {
                    Some(status) => break Some(status),
                    None if kills == options.kills => break Some(training.child.wait()?),
                    None if Instant::now() >= deadline => break None,
                    None => thread::sleep(Duration::from_micros(random.draw(50, 500) as u64)),
                }
            };
            match ended {
                Some(status) if status.success() => break,
                Some(status) => return Err(format!("a resumed training failed: {status}").into()),
                None => {
                    training.child.kill()?;
                    training.child.wait()?;
                    kills += 1;
                    done = training.last().or(Some(from));
                }
            }
        }
        runs += 1;
        identical += usize::from(fs::read(folder.join("outcome"))? == whole);
        fs::remove_dir_all(&folder)?;
        println!(
            "{kills} kills, {runs} trainings, {identical} identical, at most {lost} steps lost"
        );
    }
    let result = json!({
        "kills": kills,
        "trainings": runs,
        "identical": identical,
        "lost_steps_max": lost,
        "checkpoint_every": options.every,
        "seconds": begun.elapsed().as_secs_f64(),
    });
    println!("{result}");
    if let Some(file) = &options.json {
        fs::write(file, format!("{result}\n"))?;
    }
    match identical == runs && lost <= options.every {
        true => Ok(()),
        false => Err("a resumed training is not as one that was not killed".into()),
    }
}
