//! A plateau in a training, in a record, and behind a warmup.

use kiln::data::digits;
use kiln::prelude::*;
use kiln::schedule::{Horizon, LrScheduler, LrSchedulerRecord, Metric, Phase, Plan, Rate, Time};
use kiln::schedule::{MetricMode, ScheduleError, ThresholdMode};
use kiln::train::TrainError;

const EPOCH: u64 = 4;
const HORIZON: Horizon = Horizon {
    steps: 40 * EPOCH,
    steps_per_epoch: EPOCH,
    batch: 32,
};

schedule! {
    /// Two epochs of warmup, then half the rate when an epoch was no better.
    struct Warmed {}
    peak 0.1;
    warmup(2 epochs) -> plateau(factor: 0.5, patience: 0 epochs, cooldown: 1 epoch, on: training_loss);
}

/// Goes on for an epoch in which the metric came to `value`.
fn epoch(rate: &mut Rate, value: f64) -> Vec<f64> {
    let rates = (0..EPOCH).map(|_| rate.step()).collect();
    rate.observe(value);
    rates
}

#[test]
fn what_was_observed_before_the_plateau_does_not_count() {
    let mut rate = Warmed::new().over(&HORIZON).unwrap();
    // The best of all, in the warmup.
    for value in [0.001, 0.002] {
        epoch(&mut rate, value);
    }
    let epochs: Vec<f64> = [1.0, 0.5, 0.6, 0.6, 0.6, 0.6]
        .map(|value| epoch(&mut rate, value)[0])
        .to_vec();
    assert_eq!(epochs, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]);
    assert_eq!(rate.at(4), 0.05);
    assert_eq!(rate.at(5 * EPOCH - 1), 0.1);
    assert_eq!(rate.at(u64::MAX), rate.at(8 * EPOCH));
}

#[test]
fn a_plateau_begins_where_the_phase_before_it_ended() {
    let plan = Plan {
        peak: 1.0,
        scaling: None,
        phases: vec![
            Phase::Cosine {
                duration: Some(Time::Epochs(1.0)),
                to: 0.2,
            },
            plateau(0.5, 0.15),
        ],
    };
    let mut rate = plan.over(&HORIZON).unwrap();
    epoch(&mut rate, 1.0);
    for wanted in [0.2, 0.2, 0.15, 0.15] {
        assert_eq!(epoch(&mut rate, 1.0)[0], wanted);
    }
}

/// No patience, and a least rate.
fn plateau(factor: f64, min_lr: f64) -> Phase {
    Phase::Plateau {
        factor,
        patience: Time::Epochs(0.0),
        threshold: 1e-4,
        threshold_mode: ThresholdMode::Relative,
        cooldown: Time::Epochs(0.0),
        min_lr,
        on: Metric::Named("error".into()),
        mode: Some(MetricMode::Min),
    }
}

/// A rate that was reduced twice, in its cooldown.
fn reduced() -> Rate {
    let mut rate = Warmed::new().over(&HORIZON).expect("a plan that holds");
    for value in [9.0, 9.0, 1.0, 2.0, 2.0, 2.0, 2.0] {
        epoch(&mut rate, value);
    }
    rate
}

#[test]
fn a_record_holds_the_whole_state() {
    let mut rate = reduced();
    let bytes = rate.to_record().into_bytes().unwrap();
    let mut resumed = Warmed::new().over(&HORIZON).unwrap();
    resumed
        .resume(&LrSchedulerRecord::from_bytes(bytes).unwrap())
        .unwrap();
    assert_eq!(resumed, rate);
    for value in [2.0, 0.5, 0.5, f64::NAN, 0.5] {
        assert_eq!(epoch(&mut resumed, value), epoch(&mut rate, value));
    }
    assert_eq!(resumed, rate);
}

#[test]
fn a_damaged_record_is_refused_whole() {
    let whole = reduced().to_record();
    let fresh = Warmed::new().over(&HORIZON).unwrap();
    let damaged = |key: &str, value: f64| whole.clone().with_scalar(key, value);
    let counted = |key: &str, value: u64| whole.clone().with_scalar(key, value);
    let names = ["best", "bad", "cooldown", "reductions", "0", "1"];
    for name in names.map(|name| format!("plateau.{name}")) {
        assert!(whole.scalar::<f64>(&name).is_some() || whole.scalar::<u64>(&name).is_some());
    }
    for record in [
        damaged("plateau.best", f64::NAN),
        damaged("plateau.bad", 0.5),
        damaged("plateau.cooldown", -1.0),
        counted("plateau.reductions", u64::MAX),
        counted("plateau.reductions", 3),
        // Not rising, in the warmup, and still to come.
        counted("plateau.1", 1),
        counted("plateau.0", 3),
        counted("plateau.1", 1000),
        counted("step", 9),
        counted("step", 3),
        LrSchedulerRecord::new().with_scalar("step", 20u64),
    ] {
        let mut rate = fresh.clone();
        assert_eq!(rate.resume(&record), Err(ScheduleError::PlateauRecord));
        rate.load_record(record);
        assert_eq!(rate, fresh);
    }
    let mut rate = fresh.clone();
    let foreign = LrSchedulerRecord::new().with_scalar("epoch", 3u64);
    assert_eq!(rate.resume(&foreign), Err(ScheduleError::Record));
}

#[test]
fn a_plan_of_a_plateau_is_checked() {
    let refused = |phase| {
        let phases = vec![phase];
        let plan = Plan {
            peak: 1.0,
            scaling: None,
            phases,
        };
        plan.over(&HORIZON).unwrap_err().to_string()
    };
    let with = |change: fn(&mut Phase)| {
        let mut phase = plateau(0.5, 0.0);
        change(&mut phase);
        refused(phase)
    };
    let mode_of = |phase: &mut Phase| {
        if let Phase::Plateau { mode, .. } = phase {
            *mode = None;
        }
    };
    assert_eq!(
        with(mode_of),
        "phase 1, `plateau`: a metric of your own needs its `mode`: `min` if less of it is better, \
         `max` if more is",
    );
    let in_steps = |phase: &mut Phase| {
        if let Phase::Plateau { patience, .. } = phase {
            *patience = Time::Steps(500.0);
        }
    };
    assert_eq!(
        with(in_steps),
        "phase 1, `plateau`: `patience` counts epochs, because a metric is observed once an epoch: \
         `10 epochs`, found 500 steps",
    );
    assert_eq!(
        refused(plateau(1.0, -1.0)),
        "the schedule has 2 problems:\n\
         - phase 1, `plateau`: `factor` must be above 0 and below 1, found 1\n\
         - phase 1, `plateau`: `min_lr` must be 0 or more, found -1",
    );
}

mod training {
    use super::*;

    model! {
        /// One layer.
        pub struct Linear {}
        input image: [1, 8, 8];
        let scores = image -> flatten -> linear(10);
        output scores;
        loss cross_entropy;
    }

    optimizer! {
        /// Nothing else.
        pub struct Descent {}
        update sgd;
    }

    schedule! {
        /// Nothing is ever as much better.
        pub struct Demanding {}
        peak 0.01;
        plateau(factor: 0.5, patience: 0 epochs, threshold: 100, threshold_mode: absolute);
    }

    schedule! {
        /// On the accuracy.
        pub struct Accurate {}
        peak 0.01;
        plateau(factor: 0.5, patience: 0 epochs, threshold: 1, threshold_mode: absolute, on: accuracy);
    }

    schedule! {
        /// On what no trainer measures.
        pub struct Own {}
        peak 0.01;
        plateau(on: "f1", mode: max);
    }

    fn rates<S: Schedule>(schedule: S, validate: bool) -> Result<Vec<f64>, TrainError> {
        let digits = digits().and_then(|digits| digits.split(0.9, 1));
        let (train, test) = digits.expect("the digits");
        let device = default_device().expect("a device");
        let model = LinearConfig::new().init(&device).expect("a network");
        let trainer = Trainer::new(model, Descent::new(), schedule)
            .epochs(4)
            .batch(256)
            .quiet();
        let trainer = if validate {
            trainer.validate(&test)
        } else {
            trainer
        };
        let trained = trainer.fit(train).map_err(|failure| failure.error)?;
        Ok(trained.history.iter().map(|epoch| epoch.rate).collect())
    }

    #[test]
    fn the_trainer_observes_after_every_epoch() {
        let halved = [0.01, 0.01, 0.005, 0.0025];
        assert_eq!(rates(Demanding::new(), true).unwrap(), halved);
        assert_eq!(rates(Accurate::new(), true).unwrap(), halved);
    }

    #[test]
    fn a_metric_that_is_not_measured_is_an_error_before_the_first_step() {
        let said = |result: Result<Vec<f64>, TrainError>| result.unwrap_err().to_string();
        assert_eq!(
            said(rates(Demanding::new(), false)),
            "the schedule's plateau watches `validation_loss`, which this training does not \
             measure: add `.validate(&source)`, or watch `training_loss`",
        );
        assert!(said(rates(Accurate::new(), false)).contains("watches `accuracy`"));
        assert_eq!(
            said(rates(Own::new(), true)),
            "the schedule's plateau watches `\"f1\"`, which this training does not measure: the \
             trainer measures `training_loss`, `validation_loss` and `accuracy`; tell it how to \
             measure another with `.metric(name, |model| ..)`",
        );
    }
}
