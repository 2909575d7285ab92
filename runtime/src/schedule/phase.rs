//! The phases: each a factor on the peak rate, as a pure function of the step.

use std::f64::consts::PI;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Horizon;
use super::shared::{self, Spec, Unit};

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

/// A part of a schedule: the factor on the peak rate while it lasts.
///
/// Below, *t* counts the steps since the phase began and *T* is its duration in steps. After the
/// duration of the last phase its last factor is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// The peak itself: 1.
    Constant {
        /// For ever where there is none.
        duration: Option<Time>,
    },
    /// From `from` to the peak, *from + (1 - from) · t / T*: the first step has exactly `from`, as
    /// in optax and Hugging Face.
    Warmup {
        /// How long it takes.
        duration: Time,
        /// The factor of its first step.
        from: f64,
    },
    /// *factor* to the power of the number of moments that have come: a step that stands at a
    /// moment has the lower rate, as in PyTorch's `MultiStepLR` and optax's
    /// `piecewise_constant_schedule`. It never ends.
    Step {
        /// What the rate is multiplied by at each moment, in (0, 1].
        factor: f64,
        /// The moments, rising, counted from the start of training. Those beyond its end are
        /// allowed, since trainings are shortened; they have no effect.
        at: Vec<Time>,
    },
    /// *from + (to - from) · t / T*, as optax's `linear_schedule`.
    Linear {
        /// Until the end of training where there is none.
        duration: Option<Time>,
        /// The factor of its first step.
        from: f64,
        /// The factor when it ends, one step after its last.
        to: f64,
    },
    /// Half a cosine, *to + (1 - to) · (1 + cos(π t / T)) / 2*, as in Loshchilov & Hutter 2017
    /// without restarts. PyTorch's and Burn's rise again after *T*; here, as in optax, the last
    /// factor is held.
    Cosine {
        /// Until the end of training where there is none.
        duration: Option<Time>,
        /// The factor when it ends, one step after its last.
        to: f64,
    },
    /// *factor* to the power of *t / every*, continuously.
    Exponential {
        /// For ever where there is none.
        duration: Option<Time>,
        /// What the rate is multiplied by in the time `every`, in (0, 1].
        factor: f64,
        /// The time in which the rate is multiplied by `factor`.
        every: Time,
    },
}

/// An argument of a phase, as the rules of the language see it.
pub(super) enum Argument<'a> {
    Time(Option<Time>),
    Moments(&'a [Time]),
    Number(f64),
}

/// Where a step stands in a phase.
pub(super) struct Progress<'a> {
    /// Steps since the phase began, at most `length`.
    pub t: f64,
    /// Steps of the phase, which may be infinite.
    pub length: f64,
    /// Steps since training began.
    pub step: f64,
    pub horizon: &'a Horizon,
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

impl Phase {
    pub(super) fn spec(&self) -> &'static Spec {
        match self {
            Phase::Constant { .. } => &shared::CONSTANT,
            Phase::Warmup { .. } => &shared::WARMUP,
            Phase::Step { .. } => &shared::STEP,
            Phase::Linear { .. } => &shared::LINEAR,
            Phase::Cosine { .. } => &shared::COSINE,
            Phase::Exponential { .. } => &shared::EXPONENTIAL,
        }
    }

    /// The arguments, in the order of the parameters of [`spec`](Self::spec).
    pub(super) fn arguments(&self) -> Vec<Argument<'_>> {
        use Argument::{Moments, Number, Time};
        match self {
            Phase::Constant { duration } => vec![Time(*duration)],
            Phase::Warmup { duration, from } => vec![Time(Some(*duration)), Number(*from)],
            Phase::Step { factor, at } => vec![Number(*factor), Moments(at)],
            Phase::Linear { duration, from, to } => {
                vec![Time(*duration), Number(*from), Number(*to)]
            }
            Phase::Cosine { duration, to } => vec![Time(*duration), Number(*to)],
            Phase::Exponential {
                duration,
                factor,
                every,
            } => {
                vec![Time(*duration), Number(*factor), Time(Some(*every))]
            }
        }
    }

    pub(super) fn duration(&self) -> Option<Time> {
        match self {
            Phase::Warmup { duration, .. } => Some(*duration),
            Phase::Constant { duration }
            | Phase::Linear { duration, .. }
            | Phase::Cosine { duration, .. }
            | Phase::Exponential { duration, .. } => *duration,
            Phase::Step { .. } => None,
        }
    }

    /// The factor on the peak.
    pub(super) fn factor(&self, progress: &Progress) -> f64 {
        match self {
            Phase::Constant { .. } => 1.0,
            Phase::Warmup { from, .. } => progress.between(*from, 1.0, |share| share),
            Phase::Step { factor, at } => {
                let come = at
                    .iter()
                    .filter(|at| at.steps(progress.horizon) <= progress.step);
                factor.powf(come.count() as f64)
            }
            Phase::Linear { from, to, .. } => progress.between(*from, *to, |share| share),
            Phase::Cosine { to, .. } => {
                progress.between(1.0, *to, |share| 0.5 - 0.5 * (PI * share).cos())
            }
            Phase::Exponential { factor, every, .. } => {
                // Not 0 / 0 where `every` is too short for any number of steps.
                if progress.t == 0.0 {
                    return 1.0;
                }
                factor.powf(progress.t / every.steps(progress.horizon))
            }
        }
    }
}

impl Progress<'_> {
    /// From `from` to `to` along `curve`, which maps [0, 1] to itself; exactly `to` at the end.
    fn between(&self, from: f64, to: f64, curve: impl Fn(f64) -> f64) -> f64 {
        if self.t >= self.length {
            to
        } else {
            from + (to - from) * curve(self.t / self.length)
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, value) = self.parts();
        f.write_str(&unit.show(value))
    }
}

/// The phase in words: `warmup from 0 over 5 epochs`.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lasting = |duration: &Option<Time>| {
            duration.map_or(String::new(), |duration| format!(" for {duration}"))
        };
        let over = |duration: &Option<Time>| match duration {
            Some(duration) => format!("over {duration}"),
            None => "until the end".into(),
        };
        match self {
            Phase::Constant { duration } => write!(f, "constant{}", lasting(duration)),
            Phase::Warmup { duration, from } => write!(f, "warmup from {from} over {duration}"),
            Phase::Step { factor, at } => write!(f, "x{factor} at {}", moments(at)),
            Phase::Linear { duration, from, to } => {
                write!(f, "linear from {from} to {to} {}", over(duration))
            }
            Phase::Cosine { duration, to } => write!(f, "cosine to {to} {}", over(duration)),
            Phase::Exponential {
                duration,
                factor,
                every,
            } => {
                write!(f, "x{factor} every {every}{}", lasting(duration))
            }
        }
    }
}

/// `epochs 30, 60, 80`
fn moments(at: &[Time]) -> String {
    let list = |show: &dyn Fn(Time) -> String| {
        at.iter().map(|at| show(*at)).collect::<Vec<_>>().join(", ")
    };
    let plain = |at: Time| at.parts().1.to_string();
    let all = |unit| at.iter().all(|at| at.parts().0 == unit);
    if all(Unit::Epochs) {
        format!("epochs {}", list(&plain))
    } else if all(Unit::Steps) {
        format!("steps {}", list(&plain))
    } else if all(Unit::Percent) {
        format!("{} % of training", list(&plain))
    } else {
        list(&|at| at.to_string())
    }
}
