//! The trainer tells a plateau what it measures, and asks for what it does not.

use kiln::data::digits;
use kiln::prelude::*;
use kiln::train::TrainError;
use kiln_models::MlpConfig;
use kiln_tests::{device, lock};

optimizer! {
    struct Sgd;
    update sgd;
}

schedule! {
    struct Own;
    peak 0.08;
    plateau(factor: 0.5, patience: 0 epochs, on: "mine", mode: max);
}

schedule! {
    struct Loss;
    peak 0.08;
    plateau(factor: 0.5, patience: 0 epochs, on: validation_loss);
}

schedule! {
    struct Accuracy;
    peak 1e-9;
    warmup(1 epoch, from: 1.0) -> plateau(factor: 0.5, patience: 0 epochs, on: accuracy);
}

fn trainer<'a, S: Schedule>(schedule: S) -> Trainer<'a, kiln_models::Mlp, Sgd, S> {
    let config = MlpConfig::new()
        .with_size(8)
        .with_hidden_1(16)
        .with_hidden_2(16);
    let model = config.init(&device()).expect("valid");
    Trainer::new(model, Sgd::new(), schedule)
        .epochs(4)
        .batch(256)
        .quiet()
}

#[test]
fn a_metric_of_ones_own_is_measured_and_watched() {
    let _lock = lock();
    let run = trainer(Own::new())
        .metric("mine", |_| 1.0)
        .fit(digits().expect("built in"))
        .expect("it is measured");
    let rates: Vec<f64> = run.history.iter().map(|epoch| epoch.rate).collect();
    // The first sets the best value; PyTorch reduces after each that is no better.
    assert_eq!(rates, [0.08, 0.08, 0.04, 0.02]);
    assert_eq!(run.history[3].metrics["mine"], 1.0);
}

#[test]
fn an_accuracy_that_stands_still_reduces_the_rate_behind_a_warmup() {
    let _lock = lock();
    let test = digits().expect("built in");
    let run = trainer(Accuracy::new())
        .validate(&test)
        .fit(digits().expect("built in"))
        .expect("it is measured");
    let rates: Vec<f64> = run.history.iter().map(|epoch| epoch.rate).collect();
    // What was observed in the warmup does not count; after it the rate of 1e-9 moves nothing, and
    // is reduced to no less than 1e-8 below itself, which is PyTorch's rule too: not at all.
    assert_eq!(rates, [1e-9; 4]);
}

#[test]
fn what_is_not_measured_is_asked_for_before_the_first_step() {
    let _lock = lock();
    let source = || digits().expect("built in");
    let missing = |failure: TrainError| match failure {
        TrainError::Unobserved { fix, .. } => fix,
        other => panic!("{other}"),
    };
    let own = trainer(Own::new()).fit(source()).expect_err("not measured");
    assert!(missing(own.error).contains(".metric(name, "));
    let loss = trainer(Loss::new())
        .fit(source())
        .expect_err("not measured");
    assert_eq!(loss.trained.steps, 0);
    assert!(missing(loss.error).contains(".validate(&source)"));
}
