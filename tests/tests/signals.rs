//! Ctrl-C and SIGTERM: the first ends a training in good order, the second at once.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kiln::data::digits;
use kiln::prelude::*;
use kiln::train::{Checkpoint, Checkpoints, Every, Flow, Hook, HookError, StepRecord, TrainError};
use kiln_tests::{Folder, bits, device};

model! {
    struct Net;
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> relu -> dropout(0.2) -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! { struct Momentum; update sgd(momentum: 0.9); }
schedule! { struct Decay; peak 0.05; cosine; }

/// Says of each step that it is under way, and makes it last from the third on.
struct Slow(Duration);

impl<M> Hook<M> for Slow {
    fn step(&mut self, step: &StepRecord, _: &M) -> Result<Flow, HookError> {
        println!("\nstep {}", step.step);
        if step.step >= 3 {
            std::thread::sleep(self.0);
        }
        Ok(Flow::Continue(()))
    }
}

fn train(folder: &Path, pause: u64) -> Result<Net, TrainError> {
    device().seed(2);
    let model = NetConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    let run = Trainer::new(model, Momentum::new(), Decay::new())
        .epochs(1)
        .batch(32)
        .hook(Slow(Duration::from_millis(pause)))
        .log_every(1)
        .checkpoints(
            Checkpoints::new(folder)
                .every(Every::Steps(1000))
                .resume(true),
        )
        .quiet()
        .fit(digits()?);
    run.map(|run| run.model).map_err(|failure| failure.error)
}

const FOLDER: &str = "KILN_TEST_FOLDER";
const PAUSE: &str = "KILN_TEST_PAUSE";

/// This test in a process of its own, once its training is at work.
fn started(test: &str, folder: &Folder, pause: u64) -> (Child, impl Read) {
    let program = std::env::current_exe().expect("it is running");
    let mut child = Command::new(program)
        .args([test, "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(PAUSE, pause.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while line != "step 3\n" {
        line.clear();
        let read = out.read_line(&mut line).expect("it can be read");
        assert!(read > 0, "it ended before its third step");
    }
    (child, out)
}

fn send(signal: &str, child: &Child) {
    let status = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(status.expect("there is a `kill`").success());
}

/// The folder and the pause, in the process that trains.
fn told() -> Option<(PathBuf, u64)> {
    let pause = std::env::var(PAUSE).ok()?.parse().ok()?;
    Some((PathBuf::from(std::env::var_os(FOLDER)?), pause))
}

#[test]
fn the_first_signal_ends_the_step_and_writes_a_checkpoint() {
    if let Some((folder, pause)) = told() {
        let error = train(&folder, pause).expect_err("a signal came");
        assert!(matches!(error, TrainError::Interrupted { .. }), "{error}");
        println!("{error}");
        return;
    }
    for (signal, name) in [("-INT", "SIGINT"), ("-TERM", "SIGTERM")] {
        let folder = Folder::new(&format!("signals-{name}"));
        let test = "the_first_signal_ends_the_step_and_writes_a_checkpoint";
        let (mut child, mut out) = started(test, &folder, 20);
        send(signal, &child);
        let mut printed = String::new();
        out.read_to_string(&mut printed).expect("it can be read");
        assert!(child.wait().expect("it ends").success(), "{printed}");
        assert!(
            printed.contains(&format!("{name} after step ")),
            "{printed}"
        );
        assert!(
            printed.contains("goes on from there when it is resumed"),
            "{printed}"
        );

        let mut files = std::fs::read_dir(folder.path()).expect("the folder is there");
        let file = files
            .next()
            .expect("a checkpoint")
            .expect("it can be read")
            .path();
        let steps = Checkpoint::open(&file).expect("it is whole").steps();
        assert!((3..56).contains(&steps), "{steps}");
        assert!(printed.contains(&*file.to_string_lossy()), "{printed}");
        // And from there it goes on as if nothing had been.
        let resumed = train(folder.path(), 0).expect("it goes on");
        let whole = Folder::new(&format!("signals-whole-{name}"));
        let whole = train(whole.path(), 0).expect("it trains");
        assert!(kiln_tests::same_training(&bits(&resumed), &bits(&whole)));
    }
}

#[test]
fn the_second_signal_ends_the_program_at_once() {
    if let Some((folder, pause)) = told() {
        let _ = train(&folder, pause);
        return;
    }
    let folder = Folder::new("signals-second");
    let (mut child, _out) = started(
        "the_second_signal_ends_the_program_at_once",
        &folder,
        60_000,
    );
    send("-INT", &child);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(
        child.try_wait().expect("it can be asked"),
        None,
        "the step is not over"
    );
    send("-INT", &child);
    assert_eq!(child.wait().expect("it ends").signal(), Some(2));
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("it is there")
            .count(),
        0
    );
}

#[test]
fn after_a_training_a_signal_does_what_it_always_did() {
    if let Some((folder, _)) = told() {
        train(&folder, 0).expect("it trains");
        println!("\nstep 3");
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let folder = Folder::new("signals-after");
    let test = "after_a_training_a_signal_does_what_it_always_did";
    let (mut child, mut out) = started(test, &folder, 0);
    // The training is over when it says so again.
    let mut byte = [0];
    let mut printed = Vec::new();
    while !printed.ends_with(b"step 3\n") {
        assert_eq!(out.read(&mut byte).expect("it can be read"), 1);
        printed.push(byte[0]);
    }
    send("-TERM", &child);
    assert_eq!(child.wait().expect("it ends").signal(), Some(15));
}
