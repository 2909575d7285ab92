//! A training that stops anywhere and is resumed ends as one that never stopped: the same bits, in
//! weights and in all that was measured.

use std::cell::Cell;
use std::path::Path;

use kiln::data::{DataError, Images, Source, Subset, digits};
use kiln::prelude::*;
use kiln::schedule::{Metric, MetricMode};
use kiln::train::{
    Checkpoint, Checkpoints, Every, Flow, Hook, HookError, Run, StepRecord, TrainError, Trained,
};
use kiln_tests::{Folder, Lcg, bits, device, is_slow, lock, same_training};
use serde_json::Value;

model! {
    /// With running statistics and random numbers.
    struct Net { drop: f64 = 0.3 }
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> batch_norm -> relu -> dropout(drop) -> linear(10);
    output scores;
    loss cross_entropy;
}

schedule! {
    struct Warm;
    peak 0.05;
    warmup(20 %) -> cosine;
}

schedule! {
    struct Patient;
    peak 0.1;
    warmup(4 steps) -> plateau(patience: 1 epoch, factor: 0.5, threshold: 0.2, on: training_loss);
}

fn examples() -> Result<(Subset<Images>, Subset<Images>), DataError> {
    digits()?.split(200.4 / 1797.0, 5)
}

/// Steps of an epoch of [`examples`] at a batch of 32.
const STEPS: u64 = 6;
const EPOCHS: usize = 4;

/// Fails when it has seen so many steps, and counts those that it sees.
struct Crash<'a> {
    at: u64,
    seen: &'a Cell<u64>,
}

impl<M> Hook<M> for Crash<'_> {
    fn begin(&mut self, run: &Run) -> Result<(), HookError> {
        // What it kept is what was seen when the checkpoint was written.
        assert_eq!(self.seen.get(), run.steps);
        Ok(())
    }

    fn step(&mut self, step: &StepRecord, _: &M) -> Result<Flow, HookError> {
        self.seen.set(self.seen.get() + 1);
        if step.step == self.at {
            return Err("the machine is gone".into());
        }
        Ok(Flow::Continue(()))
    }

    fn save(&mut self) -> Result<Value, HookError> {
        Ok(self.seen.get().into())
    }

    fn restore(&mut self, state: &Value) -> Result<(), HookError> {
        self.seen.set(state.as_u64().ok_or("it is no number")?);
        Ok(())
    }
}

/// Trains, from the newest checkpoint in `folder` if there is one and with a crash at the step `at`
/// if there is to be one.
fn train<O: Optimizer, S: Schedule>(
    optimizer: &O,
    schedule: &S,
    folder: Option<&Path>,
    at: u64,
) -> Result<Trained<Net>, TrainError> {
    let (train, test) = examples()?;
    // In a new process the identities of the parameters are others, too.
    device().seed(2);
    let model = NetConfig::new()
        .init(&device())
        .expect("the configuration is valid");
    let seen = Cell::new(0);
    let mut trainer = Trainer::new(model, optimizer.clone(), schedule.clone())
        .epochs(EPOCHS)
        .batch(32)
        .micro_batches(2)
        .seed(4)
        .workers(2)
        .validate(&test)
        .metric("spread", |model: &Net| {
            let scores = model.forward(Tensor::ones([2, 1, 8, 8], &device()));
            scores.var(1).mean().into_scalar()
        })
        .measure("slope", Every::Steps(5), &test, |objective| {
            Ok(objective.gradient()?.abs().max().into_scalar())
        })
        .hook(Crash { at, seen: &seen })
        .log_every(1)
        .quiet();
    if let Some(folder) = folder {
        let checkpoints = Checkpoints::new(folder)
            .every(Every::Steps(4))
            .keep(2)
            .best(Metric::Accuracy, MetricMode::Max)
            .resume(true);
        trainer = trainer.checkpoints(checkpoints);
    }
    trainer.fit(train).map_err(|failure| failure.error)
}

/// All that a training came to but the time that it took.
fn outcome(run: &Trained<Net>) -> String {
    let mut history = run.history.clone();
    for record in &mut history {
        record.seconds = 0.0;
    }
    let mut log = run.log.clone();
    for record in &mut log {
        record.examples_per_second = 0.0;
    }
    format!("{history:?} {log:?} {} {:?}", run.steps, run.stopped)
}

fn resumes<O: Optimizer, S: Schedule>(name: &str, optimizer: O, schedule: S) {
    let _lock = lock();
    let whole = train(&optimizer, &schedule, None, 0).expect("it trains");
    let total = whole.steps;
    let mut random = Lcg(name.len() as u64);
    // The first and the last step, the ends of epochs, those with a checkpoint, and some by chance.
    let mut places = vec![1, 4, 5, STEPS, STEPS + 1, 2 * STEPS, total];
    places.push(random.draw(1, total as usize) as u64);
    if is_slow() {
        places = vec![2 * STEPS + 1];
    }
    for place in places {
        let folder = Folder::new(&format!("resume-{name}-{place}"));
        let crash = train(&optimizer, &schedule, Some(folder.path()), place);
        assert!(
            matches!(crash, Err(TrainError::Hook(_))),
            "{name}: {crash:?}"
        );
        // A second crash on the way.
        let second = place + 3;
        let again = train(&optimizer, &schedule, Some(folder.path()), second);
        assert_eq!(
            again.is_err(),
            second <= total,
            "{name} at {second}: {again:?}"
        );
        let resumed = train(&optimizer, &schedule, Some(folder.path()), 0).expect("it goes on");
        assert!(
            same_training(&bits(&resumed.model), &bits(&whole.model)),
            "{name}: the weights after a crash at {place}"
        );
        let last = |run: &Trained<Net>| run.last.as_ref().map(bits);
        assert_eq!(last(&resumed).is_some(), last(&whole).is_some());
        if is_slow() {
            continue;
        }
        assert_eq!(last(&resumed), last(&whole), "{name} at {place}");
        assert_eq!(outcome(&resumed), outcome(&whole), "{name} at {place}");

        // The end is a checkpoint like any other, and its model the one that training returned.
        let end = folder.file(&format!("step-{total:010}.kiln"));
        let end = Checkpoint::open(end).expect("it is there");
        let model: Net = end.model(&device()).expect("it is that of this model");
        assert_eq!(bits(&model), bits(&whole.model), "{name}");
        let none_left = train(&optimizer, &schedule, Some(folder.path()), 0).expect("it ended");
        assert_eq!(bits(&none_left.model), bits(&whole.model), "{name}");
        assert_eq!(outcome(&none_left), outcome(&whole), "{name}");
    }
}

macro_rules! resumed {
    ($($test:ident: $name:literal, { $($declaration:tt)* }, $schedule:expr;)*) => {$(
        #[test]
        fn $test() {
            optimizer! { struct Declared; $($declaration)* }
            resumes($name, Declared::new(), $schedule);
        }
    )*};
}

resumed! {
    momentum_resumes: "momentum", { update sgd(momentum: 0.9); clip global_norm(1.0); }, Warm::new();
    adam_with_an_average_resumes: "ema", { update adamw(); average ema(decay: 0.9); }, Warm::new();
    a_late_average_resumes: "swa", { update sgd(momentum: 0.9); average swa(from: 50 %, every: 2 steps); }, Warm::new();
    lookahead_resumes: "lookahead", { update adam(); average lookahead(k: 5, alpha: 0.5); }, Warm::new();
    sharpness_and_noise_resume: "sam", {
        update lars(momentum: 0.9, weight_decay: 1e-4);
        update sgd(momentum: 0.9) for bias, norm;
        sharpness sam(rho: 0.05);
        noise gaussian(eta: 0.001);
    }, Warm::new();
    a_switch_resumes: "switch", { update adam(); switch at 50 % to sgd(momentum: 0.9); }, Warm::new();
    a_plateau_resumes: "plateau", { update sgd(momentum: 0.9); }, Patient::new();
    quasi_newton_resumes: "lbfgs", { update lbfgs(max_iter: 2); }, Warm::new();
    newton_resumes: "newton", { update newton_cg(products: 2); }, Warm::new();
}
