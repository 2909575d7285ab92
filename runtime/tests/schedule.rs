//! What a schedule promises: the plan that was declared, its words, and an error for whatever is no
//! learning rate.

use kiln::schedule;
use kiln::schedule::{
    Horizon, LrScheduler, LrSchedulerRecord, Phase, Plan, Rate, Scaling, Schedule, ScheduleError,
    Time, WarmupShape,
};

schedule! {
    /// Goyal et al. 2017.
    pub struct OneHour { base: f64 = 0.1 }

    peak base per 256 examples;
    warmup(5 epochs, from: 0.0) -> step(factor: 0.1, at: [30, 60, 80] epochs);
}

schedule! {
    /// Every phase, every unit, and hyper-parameters wherever a number may stand.
    pub struct Everything {
        peak_rate: f64 = 2.0,
        from: f64 = 0.25,
        length: usize,
        batch: usize = 64,
        share: f64 = 10.0,
        every: f64 = 0.5,
    }

    peak peak_rate * 2 sqrt per 4 * batch examples;
    warmup(length steps, from: from)
        -> linear(share %, from: 1, to: 1 / 2)
        -> cosine(1.5 epochs)
        -> constant(duration: 2 * length steps)
        -> exponential(share / 2 %, factor: 0.9, every: every epochs)
        -> step(at: [60, share + 60] %, factor: 1.0);
}

const HORIZON: Horizon = Horizon {
    steps: 1000,
    steps_per_epoch: 100,
    batch: 256,
};

fn warmup(duration: Time, from: f64) -> Phase {
    Phase::Warmup {
        duration,
        from,
        shape: WarmupShape::Linear,
    }
}

fn plan(phases: impl Into<Vec<Phase>>) -> Plan {
    Plan {
        peak: 1.0,
        scaling: None,
        phases: phases.into(),
    }
}

fn rate(phases: impl Into<Vec<Phase>>) -> Rate {
    plan(phases).over(&HORIZON).expect("a plan that holds")
}

fn refused(plan: &Plan) -> String {
    plan.over(&HORIZON)
        .expect_err("a plan that does not hold")
        .to_string()
}

#[test]
fn a_declaration_becomes_its_plan() {
    let one_hour = Plan {
        peak: 0.1,
        scaling: Some(Scaling::Linear { per: 256.0 }),
        phases: vec![
            warmup(Time::Epochs(5.0), 0.0),
            Phase::Step {
                factor: 0.1,
                at: vec![Time::Epochs(30.0), Time::Epochs(60.0), Time::Epochs(80.0)],
            },
        ],
    };
    assert_eq!(OneHour::new().plan(), one_hour);
    let everything = Everything::new(50).with_from(0.5).plan();
    let expected = Plan {
        peak: 4.0,
        scaling: Some(Scaling::Sqrt { per: 256.0 }),
        phases: vec![
            warmup(Time::Steps(50.0), 0.5),
            Phase::Linear {
                duration: Some(Time::Percent(10.0)),
                from: 1.0,
                to: 0.5,
            },
            Phase::Cosine {
                duration: Some(Time::Epochs(1.5)),
                to: 0.0,
            },
            Phase::Constant {
                duration: Some(Time::Steps(100.0)),
            },
            Phase::Exponential {
                duration: Some(Time::Percent(5.0)),
                factor: 0.9,
                every: Time::Epochs(0.5),
            },
            Phase::Step {
                factor: 1.0,
                at: vec![Time::Percent(60.0), Time::Percent(70.0)],
            },
        ],
    };
    assert_eq!(everything, expected);
    assert!(everything.over(&HORIZON).is_ok());
}

#[test]
fn a_plan_is_said_in_words() {
    assert_eq!(
        OneHour::new().plan().to_string(),
        "0.1 per 256 examples (linear); warmup from 0 over 5 epochs; then x0.1 at epochs 30, 60, 80",
    );
    assert_eq!(
        Everything::new(1).plan().to_string(),
        "4 per 256 examples (square root); warmup from 0.25 over 1 step; \
         then linear from 1 to 0.5 over 10 %; then cosine to 0 over 1.5 epochs; \
         then constant for 2 steps; then x0.9 every 0.5 epochs for 5 %; \
         then x1 at 60, 70 % of training",
    );
}

#[test]
fn a_plan_survives_json() {
    for plan in [OneHour::new().plan(), Everything::new(7).plan()] {
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
    let unknown = r#"{"peak": 1.0, "scaling": null, "phases": [{"cosine": {"too": 0.0}}]}"#;
    assert!(serde_json::from_str::<Plan>(unknown).is_err());
}

#[test]
fn the_peak_follows_the_batch_by_its_law() {
    let cases: [(Option<Scaling>, usize, f64); 5] = [
        (None, 8192, 1.0),
        (Some(Scaling::Linear { per: 256.0 }), 8192, 32.0),
        (Some(Scaling::Linear { per: 256.0 }), 64, 0.25),
        (Some(Scaling::Sqrt { per: 256.0 }), 4096, 4.0),
        (Some(Scaling::Sqrt { per: 256.0 }), 64, 0.5),
    ];
    for (scaling, batch, wanted) in cases {
        let plan = Plan {
            scaling,
            ..plan([Phase::Constant { duration: None }])
        };
        assert_eq!(
            plan.over(&Horizon { batch, ..HORIZON }).unwrap().at(3),
            wanted
        );
    }
}

#[test]
fn the_first_step_of_a_warmup_has_exactly_its_start() {
    for from in [0.0, 1e-3, 0.1, 1.0 / 3.0] {
        let rate = rate([warmup(Time::Steps(7.0), from)]);
        assert_eq!(rate.at(0), from);
        assert_eq!(rate.at(7), 1.0);
    }
}

#[test]
fn a_milestone_acts_on_the_step_it_names() {
    let rate = rate([Phase::Step {
        factor: 0.1,
        at: vec![Time::Epochs(3.0)],
    }]);
    assert_eq!([rate.at(299), rate.at(300)], [1.0, 0.1]);
}

#[test]
fn the_last_factor_is_held() {
    let duration = Time::Epochs(5.0);
    let last = [
        warmup(duration, 0.0),
        Phase::Linear {
            duration: Some(duration),
            from: 1.0,
            to: 0.1,
        },
        Phase::Cosine {
            duration: Some(duration),
            to: 0.1,
        },
        Phase::Exponential {
            duration: Some(duration),
            factor: 0.1,
            every: duration,
        },
    ];
    for (phase, held) in last.into_iter().zip([1.0, 0.1, 0.1, 0.1]) {
        let rate = rate([phase]);
        for step in [500, 501, 750, 1000, 100_000, u64::MAX] {
            assert_eq!(rate.at(step), held);
        }
    }
}

#[test]
fn a_period_shorter_than_any_number_of_steps_is_still_a_rate() {
    let every = Time::Percent(f64::from_bits(1));
    for (factor, then) in [(0.5, 0.0), (1.0, 1.0)] {
        let plan = plan([Phase::Exponential {
            duration: None,
            factor,
            every,
        }]);
        let rate = plan
            .over(&Horizon {
                steps: 1,
                ..HORIZON
            })
            .unwrap();
        assert_eq!([rate.at(0), rate.at(1)], [1.0, then]);
    }
}

#[test]
fn a_phase_without_a_duration_lasts_until_the_end_of_training() {
    let warmup = warmup(Time::Percent(10.0), 0.0);
    let rate = rate([
        warmup,
        Phase::Linear {
            duration: None,
            from: 1.0,
            to: 0.0,
        },
    ]);
    assert_eq!([rate.at(100), rate.at(550), rate.at(1000)], [1.0, 0.5, 0.0]);
}

#[test]
fn a_time_that_is_a_whole_step_but_for_rounding_is_that_step() {
    for at in [Time::Epochs(0.07), Time::Percent(0.7), Time::Steps(7.0)] {
        let rate = rate([Phase::Step {
            factor: 0.5,
            at: vec![at],
        }]);
        assert_eq!([rate.at(6), rate.at(7)], [1.0, 0.5]);
    }
    // 7 steps: 0.35 and 6.65 of them fill the training.
    let horizon = Horizon {
        steps: 7,
        steps_per_epoch: 7,
        batch: 1,
    };
    let filled = plan([
        warmup(Time::Percent(5.0), 0.0),
        Phase::Cosine {
            duration: Some(Time::Percent(95.0)),
            to: 0.0,
        },
    ]);
    assert!(filled.over(&horizon).is_ok());
}

#[test]
fn rates_above_one_and_of_zero_are_accepted() {
    let schedule = OneHour::new().with_base(10.0);
    let rate = schedule
        .over(&Horizon {
            batch: 65_536,
            ..HORIZON
        })
        .unwrap();
    assert_eq!(rate.at(0), 0.0);
    assert_eq!(rate.at(500), 2560.0);
}

#[test]
fn a_foreign_record_is_an_error_and_never_a_panic() {
    let mut rate = rate([Phase::Constant { duration: None }]);
    rate.step();
    let before = rate.clone();
    for record in [
        LrSchedulerRecord::new(),
        LrSchedulerRecord::new().with_scalar("step", -1i64),
        LrSchedulerRecord::new().with_scalar("step", 0.5),
        LrSchedulerRecord::new().with_scalar("current_iter", 3u64),
    ] {
        assert_eq!(rate.resume(&record), Err(ScheduleError::Record));
        rate.load_record(record);
        assert_eq!(rate, before);
    }
    rate.load_record(LrSchedulerRecord::new().with_scalar("step", u64::MAX));
    assert_eq!([rate.step(), rate.step()], [1.0, 1.0]);
}

#[test]
fn a_rate_is_a_scheduler_of_burns_learner() {
    let rate = rate([Phase::Constant { duration: None }]);
    let mut burns = burn::lr_scheduler::DynLrScheduler::from(rate.clone());
    assert_eq!(burns.step(), 1.0);
    assert_eq!(burns.load_record(rate.to_record()).step(), 1.0);
}

#[test]
fn a_hyper_parameter_from_a_file_is_checked_over_a_horizon() {
    let read = |json: &str| serde_json::from_str::<Everything>(json).unwrap();
    let error = read(r#"{"length": 0, "from": -1.0, "every": -0.5}"#)
        .over(&HORIZON)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the schedule has 4 problems:\n\
         - phase 1, `warmup`: `duration` must be above 0, found 0 steps\n\
         - phase 1, `warmup`: `from` must be 0 or more, found -1\n\
         - phase 4, `constant`: `duration` must be above 0, found 0 steps\n\
         - phase 5, `exponential`: `every` must be above 0, found -0.5 epochs",
    );
    let error = read(r#"{"length": 10, "share": 120.0}"#)
        .over(&HORIZON)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`duration` must be at most 100 % of training, found 120 %")
    );
    let error = read(r#"{"length": 10, "batch": 0}"#)
        .over(&HORIZON)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the peak rate: `per` must be above 0, found 0"
    );
    assert!(serde_json::from_str::<Everything>(r#"{"length": 10, "form": 0.5}"#).is_err());
}

#[test]
fn a_horizon_of_nothing_is_refused() {
    let nothing = Horizon {
        steps: 0,
        steps_per_epoch: 0,
        batch: 0,
    };
    let error = OneHour::new().over(&nothing).unwrap_err();
    assert!(matches!(&error, ScheduleError::Several(problems) if problems.len() == 3));
    assert!(
        error
            .to_string()
            .contains("the horizon's `batch` must be at least 1, found 0")
    );
}

#[test]
fn a_phase_that_outlasts_training_is_refused_and_a_late_milestone_is_not() {
    let short = Horizon {
        steps: 100,
        ..HORIZON
    };
    let error = OneHour::new().over(&short).unwrap_err();
    assert_eq!(
        error.to_string(),
        "phase 1, `warmup` (warmup from 0 over 5 epochs) ends at step 500, but training ends at \
         step 100 (100 steps an epoch); shorten it, train longer, or give its duration in %",
    );
    assert!(
        OneHour::new()
            .over(&Horizon {
                steps: 500,
                ..HORIZON
            })
            .is_ok()
    );
    let filled = [
        warmup(Time::Percent(100.0), 0.0),
        Phase::Cosine {
            duration: None,
            to: 0.0,
        },
    ];
    assert_eq!(
        refused(&plan(filled)),
        "phase 2, `cosine` (cosine to 0 until the end) has no time left: the phases before it \
         last until the end of training, step 1000; shorten them or train longer",
    );
}

#[test]
fn phases_that_form_no_chain_are_refused() {
    let constant = || Phase::Constant { duration: None };
    let warmup = || warmup(Time::Steps(10.0), 0.0);
    assert_eq!(
        refused(&plan([])),
        "the phases: expected a phase such as `constant`, found none"
    );
    assert_eq!(
        refused(&plan([constant(), constant()])),
        "phase 2, `constant`: `constant` is never reached: `constant` lasts for ever because it \
         has no duration; give it one, or make it the last phase",
    );
    assert_eq!(
        refused(&plan([warmup(), warmup()])),
        "phase 2, `warmup`: `warmup` can only be the first phase: it starts at `from`, so the \
         rate would jump back",
    );
}

#[test]
fn moments_must_rise_and_lie_in_their_phase() {
    let at = |at: &[Time]| {
        plan([Phase::Step {
            factor: 0.1,
            at: at.to_vec(),
        }])
    };
    assert!(refused(&at(&[])).contains("`at` must name a moment, found none"));
    assert!(
        at(&[Time::Steps(10.0), Time::Epochs(1.0), Time::Percent(50.0)])
            .over(&HORIZON)
            .is_ok()
    );
    assert_eq!(
        refused(&at(&[
            Time::Epochs(2.0),
            Time::Steps(10.0),
            Time::Steps(10.0)
        ])),
        "the schedule has 2 problems:\n\
         - phase 1, `step`: `at` must rise, but 10 steps stands behind 2 epochs\n\
         - phase 1, `step`: `at` names 10 steps twice",
    );
    let mut plan = OneHour::new().plan();
    plan.phases[0] = warmup(Time::Epochs(8.0), 0.0);
    plan.phases[1] = Phase::Step {
        factor: 0.1,
        at: vec![Time::Percent(30.0)],
    };
    assert_eq!(
        refused(&plan),
        "phase 2, `step`: 30 % lies before this `step` begins, at step 800; moments count from \
         the start of training",
    );
}

#[test]
fn a_peak_that_no_number_can_hold_is_refused() {
    let huge = OneHour::new().with_base(f64::MAX);
    assert!(
        huge.over(&Horizon {
            batch: 8192,
            ..HORIZON
        })
        .is_err()
    );
    assert!(OneHour::new().with_base(f64::NAN).over(&HORIZON).is_err());
}
