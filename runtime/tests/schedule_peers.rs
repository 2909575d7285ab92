//! The learning rates of torch, optax, timm, composer and transformers, recorded by
//! `tests/peers/schedules.py`.

use kiln::schedule::{Horizon, LrScheduler, Plan};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recorded {
    cases: Vec<Case>,
    plateaus: Vec<Plateau>,
}

#[derive(Deserialize)]
struct Case {
    peer: String,
    call: String,
    plan: Plan,
    horizon: u64,
    steps: Vec<u64>,
    rates: Vec<f64>,
}

#[derive(Deserialize)]
struct Plateau {
    peer: String,
    call: String,
    plan: Plan,
    metrics: Vec<Value>,
    rates: Vec<f64>,
}

/// A number, or the text of one that JSON has not.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    Text(String),
}

fn recorded() -> Recorded {
    serde_json::from_str(include_str!("../../tests/peers/schedules.json"))
        .expect("the record of the peers")
}

#[test]
fn peers_have_the_same_rates() {
    let cases = recorded().cases;
    assert!(cases.len() >= 90);
    for peer in ["torch", "optax", "timm", "composer", "transformers"] {
        assert!(cases.iter().any(|case| case.peer == peer));
    }
    for Case {
        peer,
        call,
        plan,
        horizon,
        steps,
        rates,
    } in cases
    {
        let horizon = Horizon {
            steps: horizon,
            steps_per_epoch: 100,
            batch: 256,
        };
        let rate = plan.over(&horizon).unwrap();
        for (&step, &wanted) in steps.iter().zip(&rates) {
            let found = rate.at(step);
            // The end of a cosine is a difference of numbers near the peak, in the peers as here.
            let tolerance = 1e-12 * wanted.abs() + 1e-16 * plan.peak;
            assert!(
                (found - wanted).abs() <= tolerance,
                "{peer}, {call}, step {step}: {found} instead of {wanted}",
            );
        }
    }
}

#[test]
fn peers_reduce_on_the_same_plateaus() {
    let plateaus = recorded().plateaus;
    assert!(plateaus.len() >= 15);
    for Plateau {
        peer,
        call,
        plan,
        metrics,
        rates,
    } in plateaus
    {
        let horizon = Horizon {
            steps: metrics.len() as u64,
            steps_per_epoch: 1,
            batch: 1,
        };
        let mut rate = plan.over(&horizon).unwrap();
        for (epoch, (metric, wanted)) in metrics.iter().zip(&rates).enumerate() {
            rate.step();
            rate.observe(match metric {
                Value::Number(value) => *value,
                Value::Text(text) => text.parse().unwrap(),
            });
            let found = rate.at(epoch as u64 + 1);
            assert!(
                (found - wanted).abs() <= 1e-12 * wanted,
                "{peer}, {call}, after epoch {epoch}: {found} instead of {wanted}",
            );
        }
        // What it came to is known for every step that is over, too.
        for (step, wanted) in std::iter::once(&plan.peak).chain(&rates).enumerate() {
            let found = rate.at(step as u64);
            assert!(
                (found - wanted).abs() <= 1e-12 * wanted,
                "{call}, step {step}"
            );
        }
    }
}
