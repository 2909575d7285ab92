//! Lengths of time and moments, in steps, epochs or hundredths of the training.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Horizon;
use super::shared::Unit;

/// A length of time, or a moment, in its unit. Fractions are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// Steps of the optimizer.
    Steps(f64),
    /// Passes over the data.
    Epochs(f64),
    /// Hundredths of the training.
    Percent(f64),
}

impl Time {
    /// The time in steps.
    ///
    /// What lies within a billionth of a whole step is that step: 0.07 epochs of 100 steps are 7
    /// of them, where floating-point numbers have 7.000000000000001.
    pub(crate) fn steps(self, horizon: &Horizon) -> f64 {
        whole(match self {
            Time::Steps(steps) => steps,
            Time::Epochs(epochs) => epochs * horizon.steps_per_epoch as f64,
            Time::Percent(percent) => percent * horizon.steps as f64 / 100.0,
        })
    }

    /// What is wrong with it as the time `name`.
    pub(crate) fn check(self, name: &str) -> Result<(), String> {
        let (unit, value) = self.parts();
        unit.check(name, value)
    }

    pub(super) fn parts(self) -> (Unit, f64) {
        match self {
            Time::Steps(value) => (Unit::Steps, value),
            Time::Epochs(value) => (Unit::Epochs, value),
            Time::Percent(value) => (Unit::Percent, value),
        }
    }
}

/// `steps`, or the whole number that it was meant to be.
pub(super) fn whole(steps: f64) -> f64 {
    let near = steps.round();
    if (steps - near).abs() <= 1e-9 * near.abs() {
        near
    } else {
        steps
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, value) = self.parts();
        f.write_str(&unit.show(value))
    }
}
