//! What a training tells while it runs: hooks, files of metrics, early stopping, Burn's metrics.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use kiln::burn::train::metric::{AccuracyMetric, ClassReduction, FBetaScoreMetric};
use kiln::data::{Images, Source, Subset, digits};
use kiln::prelude::*;
use kiln::schedule::{Metric, MetricMode};
use kiln::train::{
    Checkpoints, EarlyStopping, EpochRecord, Every, Flow, Hook, HookError, JsonLines, Run,
    StepRecord, TensorBoard, TrainError, TrainFailure, Trained, evaluate_metric,
};
use kiln_tests::{Folder, bits, device, lock};
use serde_json::Value;

model! {
    struct Net;
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> relu -> linear(10);
    output scores;
    loss cross_entropy;
}

optimizer! { struct Momentum; update sgd(momentum: 0.9); clip global_norm(1.0); }
schedule! { struct Decay; peak 0.1; cosine; }
schedule! { struct Rising; peak 1.0; constant; }
schedule! {
    struct Watching;
    peak 0.1;
    plateau(on: "Accuracy", mode: max, patience: 1 epoch);
}

fn examples() -> (Subset<Images>, Subset<Images>) {
    let digits = digits().expect("the digits are built in");
    digits.split(200.4 / 1797.0, 5).expect("it is a share")
}

fn trainer<'a>() -> Trainer<'a, Net, Momentum, Decay> {
    device().seed(2);
    let model = NetConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    // Four epochs of six steps.
    Trainer::new(model, Momentum::new(), Decay::new())
        .epochs(4)
        .batch(32)
        .seed(4)
        .quiet()
}

type Result<T = Trained<Net>, E = TrainFailure<Net>> = std::result::Result<T, E>;

/// Fails at a step, or ends the training there.
struct At(u64, std::result::Result<&'static str, &'static str>);

impl<M> Hook<M> for At {
    fn step(&mut self, step: &StepRecord, _: &M) -> std::result::Result<Flow, HookError> {
        match self.1 {
            _ if step.step != self.0 => Ok(Flow::Continue(())),
            Ok(reason) => Ok(Flow::Break(reason.to_owned())),
            Err(error) => Err(error.into()),
        }
    }
}

#[test]
fn hooks_see_every_step_and_epoch_and_change_nothing() {
    struct Count<'a>(&'a Cell<[usize; 3]>);
    impl<M: Model> Hook<M> for Count<'_> {
        fn begin(&mut self, run: &Run) -> std::result::Result<(), HookError> {
            let Run {
                epochs,
                steps_per_epoch,
                batch,
                steps,
                ..
            } = *run;
            assert_eq!((run.model.as_str(), epochs, steps_per_epoch), ("Net", 4, 6));
            assert_eq!((batch, steps), (32, 0));
            self.count(0);
            Ok(())
        }
        fn step(&mut self, step: &StepRecord, _: &M) -> std::result::Result<Flow, HookError> {
            self.count(1);
            assert_eq!(step.step as usize, (4 * (self.0.get()[1] - 1)).max(1));
            assert_eq!(step.epoch, (step.step as usize - 1) / 6 + 1);
            assert!(step.loss > 0.0 && step.gradient_norm > 0.0 && step.examples_per_second > 0.0);
            Ok(Flow::Continue(()))
        }
        fn epoch(
            &mut self,
            epoch: &EpochRecord,
            model: &M,
        ) -> std::result::Result<Flow, HookError> {
            self.count(2);
            let seen = self.0.get();
            assert_eq!((epoch.epoch, epoch.steps as usize), (seen[2], 6 * seen[2]));
            assert!(model.devices().iter().all(|device| !device.is_autodiff()));
            assert!(epoch.trust_ratios["scores.1.weight"] > 0.0);
            Ok(Flow::Continue(()))
        }
    }
    impl Count<'_> {
        fn count(&self, what: usize) {
            let mut seen = self.0.get();
            seen[what] += 1;
            self.0.set(seen);
        }
    }
    let _lock = lock();
    let seen = Cell::new([0; 3]);
    let hooked = trainer()
        .hook(Count(&seen))
        .log_every(4)
        .fit(examples().0)
        .expect("it trains");
    assert_eq!(seen.get(), [1, 7, 4]);
    assert_eq!(hooked.log.len(), 7);
    let plain = trainer().fit(examples().0).expect("it trains");
    assert_eq!(plain.log.len(), 1);
    assert!(kiln_tests::same_training(
        &bits(&hooked.model),
        &bits(&plain.model)
    ));
}

#[test]
fn the_norm_and_the_loss_of_a_step_are_those_of_its_batch() {
    let _lock = lock();
    // One batch, and so small a rate that nothing changes: each step is the whole data set's.
    let (train, _) = examples();
    let trainer = trainer().batch(200).epochs(1).log_every(1);
    let before = NetConfig::new();
    device().seed(2);
    let before = before.init(&device()).expect("the configuration is valid");
    let run = trainer.fit(train.clone()).expect("it trains");
    let objective = kiln::flatness::Objective::new(&before, &train).expect("they fit");
    let (loss, gradient) = objective.loss_and_gradient().expect("it is finite");
    let norm = gradient.square().sum().sqrt().into_scalar::<f64>();
    assert!((run.log[0].loss / loss - 1.0).abs() < 1e-5);
    assert!((run.log[0].gradient_norm / norm - 1.0).abs() < 1e-5);
}

#[test]
fn a_hook_ends_a_training_or_fails_it() {
    let _lock = lock();
    let ended = trainer()
        .hook(At(9, Ok("enough")))
        .log_every(1)
        .fit(examples().0);
    let ended = ended.expect("it was asked to end");
    assert_eq!((ended.steps, ended.history.len()), (9, 1));
    assert_eq!(ended.stopped.as_deref(), Some("enough"));
    let failed = trainer()
        .hook(At(9, Err("no")))
        .log_every(1)
        .fit(examples().0);
    let failed = failed.expect_err("it failed");
    assert!(matches!(failed.error, TrainError::Hook(_)));
    assert_eq!(failed.to_string(), "a hook of the training failed: no");
    assert_eq!(bits(&failed.trained.model), bits(&ended.model));
    let nothing = trainer()
        .log_every(0)
        .fit(examples().0)
        .expect_err("it is no interval");
    assert!(
        nothing.to_string().contains("`log_every` is at least 1"),
        "{nothing}"
    );
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("it is there");
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    for line in &mut lines {
        for time in ["seconds", "examples_per_second"] {
            line.as_object_mut().expect("it is an object").remove(time);
        }
    }
    lines
}

#[test]
fn json_lines_hold_every_record_once_though_the_training_was_interrupted() {
    let _lock = lock();
    let folder = Folder::new("events-lines");
    let (file, whole) = (folder.file("metrics.jsonl"), folder.file("whole.jsonl"));
    let run = |at: u64, file: &Path| -> Result {
        let (train, test) = examples();
        trainer()
            .validate(&test)
            .hook(JsonLines::new(file))
            .hook(At(at, Err("the machine is gone")))
            .log_every(2)
            .checkpoints(
                Checkpoints::new(file.with_extension("d"))
                    .every(Every::Steps(5))
                    .resume(true),
            )
            .fit(train)
    };
    run(0, &whole).expect("it trains");
    for at in [4, 8, 14, 20] {
        run(at, &file).expect_err("it fails");
    }
    run(0, &file).expect("it trains");
    let found = lines(&file);
    assert_eq!(found, lines(&whole));
    assert_eq!(found.len(), 13 + 4);
    assert_eq!(found[0]["kind"], "step");
    assert_eq!(found[4]["kind"], "epoch");
    assert!(found[4]["validation"]["accuracy"].is_f64());

    // A training that is resumed with another file goes on in it, and behind what is in it.
    fs::copy(&whole, &file).expect("it can be copied");
    let (train, test) = examples();
    let checkpoints = Checkpoints::new(file.with_extension("e")).every(Every::Steps(5));
    let stopped = trainer()
        .validate(&test)
        .hook(At(14, Err("the machine is gone")))
        .log_every(2)
        .checkpoints(checkpoints.clone())
        .fit(train.clone());
    stopped.expect_err("it fails");
    let resumed = trainer()
        .validate(&test)
        .hook(JsonLines::new(&file))
        .log_every(2)
        .checkpoints(checkpoints.resume(true))
        .fit(train);
    resumed.expect("it trains");
    assert_eq!(lines(&file), lines(&whole));

    let nowhere = trainer()
        .hook(JsonLines::new(folder.file("no/such/folder")))
        .fit(examples().0);
    let message = nowhere.expect_err("there is no such folder").to_string();
    assert!(
        message.contains("no/such/folder: No such file"),
        "{message}"
    );
}

#[test]
fn tensor_board_is_told_of_all_and_of_a_resumption() {
    let _lock = lock();
    let folder = Folder::new("events-board");
    let run = |at: u64| -> Result {
        let checkpoints = Checkpoints::new(folder.file("checkpoints")).every(Every::Steps(5));
        trainer()
            .hook(TensorBoard::new(folder.file("runs")))
            .hook(At(at, Err("the machine is gone")))
            .log_every(2)
            .checkpoints(checkpoints.resume(true))
            .fit(examples().0)
    };
    run(8).expect_err("it fails");
    run(0).expect("it trains");
    let files = fs::read_dir(folder.file("runs")).expect("the folder is there");
    let mut files: Vec<_> = files
        .map(|file| file.expect("it can be read").path())
        .collect();
    files.sort();
    let events = files.iter().map(|file| {
        // A length, its sum, data, its sum: see the unit tests for what they are.
        let bytes = fs::read(file).expect("it is there");
        let mut rest = bytes.as_slice();
        let mut events = 0;
        while !rest.is_empty() {
            let length = u64::from_le_bytes(*rest.first_chunk().expect("a length")) as usize;
            rest = &rest[8 + 4 + length + 4..];
            events += 1;
        }
        events
    });
    // A version, the steps 1, 2, 4, 6, 8 and an epoch; a version, a resumption after step 5, the steps
    // from 6 to 24 and four epochs.
    assert_eq!(events.collect::<Vec<_>>(), [1 + 5 + 1, 2 + 10 + 4]);
}

#[test]
fn early_stopping_waits_as_long_as_it_was_told_and_remembers_it() {
    let _lock = lock();
    // The loss is the last metric that one would hope for.
    let run = |checkpoints: Option<&Path>, at: u64| -> Result {
        let measured = Cell::new(0.0);
        let values = [5.0, 4.0, 4.5, 3.95, 4.2, f64::NAN, 4.1, 1.0, 0.5, 0.1];
        let metric = |_: &Net| {
            measured.set(measured.get() + 1.0);
            values[measured.get() as usize - 1]
        };
        let (train, _) = examples();
        let mut trainer = trainer()
            .epochs(10)
            .metric("error", metric)
            .hook(
                EarlyStopping::new(Metric::Named("error".into()), MetricMode::Min)
                    .patience(2)
                    .min_delta(0.1),
            )
            .hook(At(at, Err("the machine is gone")))
            .log_every(1);
        if let Some(folder) = checkpoints {
            trainer = trainer.checkpoints(Checkpoints::new(folder).resume(true));
        }
        trainer.fit(train)
    };
    let whole = run(None, 0).expect("it trains");
    assert_eq!(whole.history.len(), 5);
    let reason = whole.stopped.expect("it was stopped");
    assert_eq!(
        reason,
        r#"`"error"` has not become better since epoch 2, where it was 4"#
    );

    let missing = trainer().hook(EarlyStopping::new(Metric::Accuracy, MetricMode::Max));
    let message = missing
        .fit(examples().0)
        .expect_err("nothing is measured")
        .to_string();
    assert!(
        message.contains("does not measure: add `.validate(..)`"),
        "{message}"
    );
}

#[test]
fn what_early_stopping_saw_is_in_the_checkpoint() {
    let _lock = lock();
    let folder = Folder::new("events-stopping");
    let run = |folder: &Path, at: u64| -> Result {
        let (train, test) = examples();
        trainer()
            .epochs(40)
            .validate(&test)
            .hook(EarlyStopping::new(Metric::ValidationLoss, MetricMode::Min).patience(1))
            .hook(At(at, Err("the machine is gone")))
            .log_every(1)
            .checkpoints(Checkpoints::new(folder).every(Every::Steps(3)).resume(true))
            .fit(train)
    };
    let whole = run(&folder.file("whole"), 0).expect("it trains");
    let steps = whole.steps;
    for at in [steps - 7, steps - 1] {
        run(&folder.file("resumed"), at).expect_err("it fails");
    }
    let resumed = run(&folder.file("resumed"), 0).expect("it goes on");
    assert_eq!((resumed.steps, &resumed.stopped), (steps, &whole.stopped));
    let again = run(&folder.file("resumed"), 0).expect("it has ended");
    assert_eq!((again.steps, &again.stopped), (steps, &whole.stopped));

    // Whoever allows changes has it go on.
    let (train, test) = examples();
    let checkpoints = Checkpoints::new(folder.file("resumed"))
        .resume(true)
        .allow_changes(true);
    let longer = trainer()
        .epochs(40)
        .validate(&test)
        .checkpoints(checkpoints)
        .fit(train);
    assert_eq!(longer.expect("it goes on").history.len(), 40);
}

#[test]
fn burns_metrics_are_measured_as_they_are() {
    let _lock = lock();
    let (train, test) = examples();
    let f1 = FBetaScoreMetric::multiclass(1.0, 1, ClassReduction::Macro);
    device().seed(2);
    let model = NetConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    let run = Trainer::new(model, Momentum::new(), Watching::new())
        .epochs(2)
        .batch(32)
        .validate(&test)
        .burn_metric(AccuracyMetric::new())
        .burn_metric(f1.clone())
        .quiet()
        .fit(train.clone())
        .expect("it trains");
    let last = run.history.last().expect("two epochs");
    let accuracy = run
        .validation()
        .and_then(|validation| validation.accuracy)
        .expect("a share");
    assert!((last.metrics["Accuracy"] - 100.0 * accuracy).abs() < 1e-3);
    assert_eq!(last.metrics.len(), 2);

    // Macro F1 by its definition.
    let scores = |examples: kiln::data::Examples| {
        let batch = Batch::<Net>::upload(examples, &device()).expect("they fit");
        let classes = run
            .model
            .forward(batch.input)
            .argmax(1)
            .squeeze_dim::<1>(1)
            .into_data();
        (
            classes.iter::<i64>().collect::<Vec<_>>(),
            batch.target.into_data().iter::<i64>().collect::<Vec<_>>(),
        )
    };
    let all: Vec<usize> = (0..test.len()).collect();
    let (found, right) = scores(test.gather(&all).expect("they are there"));
    let f1_by_hand: f64 = (0..10)
        .map(|class| {
            let count = |f: &dyn Fn(i64, i64) -> bool| {
                found
                    .iter()
                    .zip(&right)
                    .filter(|(found, right)| f(**found, **right))
                    .count() as f64
            };
            let both = count(&|found, right| found == class && right == class);
            let either = count(&|found, _| found == class) + count(&|_, right| right == class);
            2.0 * both / either
        })
        .sum::<f64>()
        / 10.0;
    let measured = evaluate_metric(&run.model, &test, test.len(), &f1).expect("it can be measured");
    assert!(
        (measured - 100.0 * f1_by_hand).abs() < 1e-3,
        "{measured} {f1_by_hand}"
    );

    let none = trainer()
        .burn_metric(AccuracyMetric::new())
        .fit(train)
        .expect_err("no data");
    let message = none.to_string();
    assert!(
        message.contains("`Accuracy` is measured on a validation set"),
        "{message}"
    );
}

#[test]
fn a_loss_that_is_not_finite_leaves_the_last_good_checkpoint() {
    let _lock = lock();
    let folder = Folder::new("events-diverged");
    optimizer! { struct Wild; update sgd(lr: 1e30x); }
    device().seed(2);
    let model = NetConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    let run = Trainer::new(model, Wild::new(), Rising::new())
        .batch(32)
        .quiet()
        .checkpoints(Checkpoints::new(folder.path()).every(Every::Steps(1)))
        .fit(examples().0);
    let failure = run.expect_err("no loss survives that rate");
    assert!(
        matches!(
            failure.error,
            TrainError::NonFinite { .. } | TrainError::Diverged { .. }
        ),
        "{failure}"
    );
    let files = fs::read_dir(folder.path()).expect("the folder is there");
    for file in files {
        let path = file.expect("it can be read").path();
        let checkpoint = kiln::train::Checkpoint::open(path).expect("it is whole");
        let model: Net = checkpoint
            .model(&device())
            .expect("it is that of this model");
        let mut numbers = bits(&model).into_values().flatten().map(f32::from_bits);
        assert!(numbers.all(f32::is_finite));
    }
}
