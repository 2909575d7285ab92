//! The phases by their formulas and by the papers' numbers.

use std::f64::consts::PI;

use kiln::schedule;
use kiln::schedule::{
    CycleShape, CyclicMode, Horizon, Metric, Phase, Plan, Rate, Schedule, Time, WarmupShape,
};

const HORIZON: Horizon = Horizon {
    steps: 1000,
    steps_per_epoch: 100,
    batch: 256,
};

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

fn refused(phases: impl Into<Vec<Phase>>) -> String {
    let refused = plan(phases).over(&HORIZON);
    refused.expect_err("a plan that does not hold").to_string()
}

fn warmup(steps: f64, from: f64) -> Phase {
    Phase::Warmup {
        duration: Time::Steps(steps),
        from,
        shape: WarmupShape::Linear,
    }
}

fn restarts(period: Time, mult: f64, decay: f64, to: f64, duration: Option<Time>) -> Phase {
    Phase::CosineRestarts {
        duration,
        period,
        mult,
        decay,
        to,
    }
}

fn cyclic(up: Time, down: Option<Time>, mode: CyclicMode, gamma: Option<f64>) -> Phase {
    Phase::Cyclic {
        duration: None,
        up,
        down,
        from: 0.1,
        mode,
        gamma,
    }
}

fn one_cycle(up: f64, three_phase: bool) -> Phase {
    Phase::OneCycle {
        duration: None,
        up,
        from: 0.04,
        to: 4e-6,
        shape: CycleShape::Linear,
        three_phase,
    }
}

#[test]
fn every_new_word_becomes_its_plan() {
    schedule! {
        /// What is left out.
        struct Bare;
        peak 1;
        one_cycle;
    }
    schedule! {
        /// Words and flags.
        struct Said { n: usize = 4, share: f64 = 0.2 }
        peak 1;
        one_cycle(n epochs, up: share, from: 1 / n, to: 0.0, shape: linear, three_phase: true)
            -> hold(n steps)
            -> polynomial(10 %, power: n, to: share)
            -> cosine_restarts(1 epoch, period: n steps, mult: 1.5, decay: share, to: 0.01)
            -> inverse_sqrt(1 epoch)
            -> inverse_sqrt(1 epoch, timescale: n epochs)
            -> cyclic(1 epoch, up: n steps, from: share, mode: exp_range, gamma: 1 - share)
            -> cyclic(1 epoch, up: 2 steps, down: n steps, from: 0, mode: triangular2)
            -> plateau(
                factor: share, patience: n epochs, threshold: 0.1, threshold_mode: absolute,
                cooldown: 2 epochs, min_lr: 1e-5, on: "f1", mode: max,
            );
    }
    assert_eq!(
        Bare::new().plan().phases,
        [Phase::OneCycle {
            duration: None,
            up: 0.3,
            from: 0.04,
            to: 4e-6,
            shape: CycleShape::Cosine,
            three_phase: false,
        }]
    );
    let said = Said::new().plan();
    assert_eq!(
        said.to_string(),
        "1; one linear cycle from 0.25 up in 0.2 of it, down to 0.25 in as long, down to 0 over 4 \
         epochs; then hold for 4 steps; then polynomial of power 4 to 0.2 over 10 %; then cosine \
         to 0.01, restarted after 4 steps, each 1.5 times as long, each x0.2 as high for 1 epoch; \
         then inverse square root for 1 epoch; then inverse square root with a time scale of 4 \
         epochs for 1 epoch; then cycles from 0.2, 4 steps up and 4 steps down, x0.8 as high each \
         step for 1 epoch; then cycles from 0, 2 steps up and 4 steps down, each half as high for \
         1 epoch; then x0.2 when \"f1\" has not risen by 0.1 (absolute) for more than 4 epochs, \
         then 2 epochs of cooldown, not below 0.00001",
    );
    let json = serde_json::to_string(&said).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), said);
    let longer = Horizon {
        steps: 2000,
        ..HORIZON
    };
    assert!(said.over(&longer).is_ok());

    schedule! {
        /// Metrics and shapes.
        struct Watched;
        peak 1;
        warmup(1 epoch, from: 0.1, shape: constant) -> plateau(on: accuracy);
    }
    let watched = Watched::new().plan();
    assert_eq!(
        watched.to_string(),
        "1; warmup at 0.1 for 1 epoch; then x0.1 when accuracy has not risen by 0.0001 (relative) \
         for more than 10 epochs",
    );
    assert!(matches!(
        &watched.phases[1],
        Phase::Plateau {
            on: Metric::Accuracy,
            mode: None,
            ..
        }
    ));
}

#[test]
fn a_serialized_plan_may_leave_out_what_a_declaration_may_leave_out_of_words() {
    let read = |phase: &str| {
        let json = format!(r#"{{"peak": 1.0, "scaling": null, "phases": [{phase}]}}"#);
        serde_json::from_str::<Plan>(&json)
    };
    let old = read(r#"{"warmup": {"duration": {"steps": 5.0}, "from": 0.5}}"#);
    assert_eq!(old.unwrap().phases, [warmup(5.0, 0.5)]);
    for (phase, message) in [
        (
            r#"{"warmup": {"duration": {"steps": 5.0}, "from": 0.5, "shape": "liner"}}"#,
            "unknown variant `liner`, expected `linear` or `constant`",
        ),
        (
            r#"{"cosine_restarts": {"duration": null, "T_0": 5}}"#,
            "unknown field `T_0`, expected one of `duration`, `period`, `mult`, `decay`, `to`",
        ),
        (
            r#"{"polynomial": {"duration": null, "to": 0.0}}"#,
            "missing field `power`",
        ),
        (
            r#"{"sgdr": {}}"#,
            "unknown variant `sgdr`, expected one of `constant`, `hold`, `warmup`",
        ),
    ] {
        let error = read(phase).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn a_constant_warmup_keeps_its_factor_until_the_peak() {
    // Goyal et al. 2017, section 2.2: a tenth for five epochs.
    let rate = rate([
        Phase::Warmup {
            duration: Time::Epochs(5.0),
            from: 0.1,
            shape: WarmupShape::Constant,
        },
        Phase::Constant { duration: None },
    ]);
    assert_eq!([rate.at(0), rate.at(499), rate.at(500)], [0.1, 0.1, 1.0]);
}

#[test]
fn what_is_held_is_what_the_phase_before_ended_with() {
    let over = Some(Time::Steps(100.0));
    let hold = || Phase::Hold { duration: over };
    for (phase, ended) in [
        (warmup(100.0, 0.5), 1.0),
        (
            Phase::Cosine {
                duration: over,
                to: 0.3,
            },
            0.3,
        ),
        (
            Phase::Exponential {
                duration: over,
                factor: 0.25,
                every: Time::Steps(50.0),
            },
            0.0625,
        ),
        // Where it ends at a restart it has come down.
        (restarts(Time::Steps(50.0), 1.0, 0.5, 0.2, over), 0.2),
    ] {
        let rate = rate([phase, hold(), hold(), Phase::Constant { duration: None }]);
        for step in [100, 150, 200, 299] {
            assert_eq!(rate.at(step), ended);
        }
        assert_eq!(rate.at(300), 1.0);
    }
    assert_eq!(rate([Phase::Hold { duration: None }]).at(7), 1.0);
}

#[test]
fn a_polynomial_is_a_power_of_the_time_left() {
    let rate = rate([Phase::Polynomial {
        duration: None,
        power: 2.0,
        to: 0.2,
    }]);
    assert_eq!(
        [rate.at(0), rate.at(500), rate.at(1000), rate.at(u64::MAX)],
        [1.0, 0.2 + 0.8 * 0.25, 0.2, 0.2]
    );
}

#[test]
fn restarts_are_where_a_loop_over_the_cycles_finds_them() {
    for (period, mult, decay, to) in [
        (1.0, 1.0, 0.9, 0.0),
        (7.0, 1.0, 1.0, 0.25),
        (10.0, 2.0, 0.5, 0.1),
        (3.0, 3.0, 0.9, 0.0),
        (8.0, 1.5, 1.0, 0.0),
        (100.0, 1.1, 0.7, 0.2),
        (2.5, 1.0, 1.0, 0.0),
        (5.0, 1.0 + 1e-15, 1.0, 0.0),
    ] {
        let rate = rate([restarts(Time::Steps(period), mult, decay, to, None)]);
        let (mut start, mut length, mut top) = (0.0, period, 1.0f64);
        for step in 0..5_000u64 {
            // A restart that is a whole step but for rounding is that step.
            if step as f64 >= start + length - 1e-7 {
                (start, length, top) = (start + length, length * mult, top * decay);
            }
            let share = ((step as f64 - start) / length).max(0.0);
            let top = top.max(to);
            let wanted = to + (top - to) * (1.0 + (PI * share).cos()) / 2.0;
            let found = rate.at(step);
            assert!(
                (found - wanted).abs() < 1e-7,
                "period {period}, x{mult}: {found} instead of {wanted} at {step}"
            );
        }
    }
    // 2⁴⁰ steps and more, without a walk over them.
    let far = rate([restarts(Time::Steps(1.0), 2.0, 1.0, 0.0, None)]);
    assert_eq!(far.at((1 << 40) - 1), 1.0);
    assert!(far.at((1 << 40) - 2) < 1e-20);
    assert!(far.at(u64::MAX).is_finite());
}

#[test]
fn an_inverse_root_behind_a_warmup_is_the_rate_of_the_transformer() {
    // Vaswani et al. 2017, equation 3: d^-½ · min(s^-½, s · w^-1.5), at the step s, from 1 there.
    let (model, over) = (512f64, 400f64);
    let peak = (model * over).powf(-0.5);
    let plan = Plan {
        peak,
        ..plan([
            warmup(over, 0.0),
            Phase::InverseSqrt {
                duration: None,
                timescale: None,
            },
        ])
    };
    let rate = plan.over(&HORIZON).unwrap();
    for step in 1..1000u64 {
        let s = step as f64;
        let wanted = model.powf(-0.5) * s.powf(-0.5).min(s * over.powf(-1.5));
        assert!((rate.at(step) / wanted - 1.0).abs() < 1e-12);
    }
}

#[test]
fn one_cycle_goes_up_in_its_share_and_comes_down_to_its_end() {
    let two = rate([one_cycle(0.3, false)]);
    assert_eq!([two.at(0), two.at(300), two.at(1000)], [0.04, 1.0, 4e-6]);
    assert!((two.at(150) - 0.52).abs() < 1e-15);
    assert!((two.at(650) - (1.0 + 4e-6) / 2.0).abs() < 1e-15);
    let three = rate([one_cycle(0.4, true)]);
    assert_eq!(
        [three.at(0), three.at(400), three.at(800)],
        [0.04, 1.0, 0.04]
    );
    assert!((three.at(600) - 0.52).abs() < 1e-15);
    assert!((three.at(900) - (0.04 + 4e-6) / 2.0).abs() < 1e-15);
}

#[test]
fn cycles_go_up_and_down_between_their_factor_and_the_peak() {
    let (up, down) = (Time::Steps(20.0), Some(Time::Steps(80.0)));
    let plain = rate([cyclic(up, down, CyclicMode::Triangular, None)]);
    let halved = rate([cyclic(up, down, CyclicMode::Triangular2, None)]);
    let shrunk = rate([cyclic(up, down, CyclicMode::ExpRange, Some(0.99))]);
    for cycle in 0..9u64 {
        let top = 100 * cycle + 20;
        assert_eq!(plain.at(top - 20), 0.1);
        assert_eq!(plain.at(top), 1.0);
        assert!((plain.at(top + 40) - 0.55).abs() < 1e-15);
        assert!((halved.at(top) - (0.1 + 0.9 * 0.5f64.powi(cycle as i32))).abs() < 1e-15);
        assert!((shrunk.at(top) - (0.1 + 0.9 * 0.99f64.powi(top as i32))).abs() < 1e-14);
    }
    let even = rate([cyclic(up, None, CyclicMode::Triangular, None)]);
    assert_eq!([even.at(20), even.at(40), even.at(60)], [1.0, 0.1, 1.0]);
}

#[test]
fn rules_between_arguments_hold_for_a_plan_too() {
    let steps = Time::Steps;
    assert_eq!(
        refused([Phase::InverseSqrt {
            duration: None,
            timescale: None
        }]),
        "phase 1, `inverse_sqrt`: no phase stands before this `inverse_sqrt` to take the time \
         scale from: `inverse_sqrt(timescale: 4000 steps)`",
    );
    assert_eq!(
        refused([one_cycle(0.5, true)]),
        "phase 1, `one_cycle`: `up` must be below 0.5 with `three_phase`, found 0.5: the way down \
         to `from` takes as long as the way up",
    );
    assert_eq!(
        refused([cyclic(steps(5.0), None, CyclicMode::Triangular2, Some(0.5))]),
        "phase 1, `cyclic`: `gamma` belongs to `mode: exp_range`, found `mode: triangular2`",
    );
    assert_eq!(
        refused([cyclic(steps(5.0), None, CyclicMode::ExpRange, None)]),
        "phase 1, `cyclic`: `mode: exp_range` needs `gamma`, the factor of each step: `gamma: \
         0.9999`",
    );
    assert_eq!(
        refused([warmup(5.0, 0.0), one_cycle(0.3, false)]),
        "phase 2, `one_cycle`: `one_cycle` can only be the first phase: it starts at `from`, so \
         the rate would jump back",
    );
    // Only the horizon tells how long an epoch is.
    assert_eq!(
        refused([restarts(Time::Epochs(0.005), 1.0, 1.0, 0.0, None)]),
        "phase 1, `cosine_restarts`: `period` must be at least 1 step, found 0.5 steps",
    );
    assert_eq!(
        refused([restarts(steps(5.0), 0.5, 0.0, 0.0, None)]),
        "the schedule has 2 problems:\n\
         - phase 1, `cosine_restarts`: `mult` must be 1 or more, found 0.5\n\
         - phase 1, `cosine_restarts`: `decay` must be above 0 and at most 1, found 0",
    );
}
