//! A schedule as plain data, and what must hold for it to be a learning rate.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::factor::Progress;
use super::phase::Argument;
use super::rate::Segment;
use super::shared::{self, Kind, Known, Param, Range, Unlimited};
use super::time::whole;
use super::{Horizon, Phase, Rate, ScheduleError};

/// A schedule as plain data. `Display` says it in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The rate that the phases are factors on.
    pub peak: f64,
    /// How the peak grows with the batch; `None` leaves it as it is.
    pub scaling: Option<Scaling>,
    /// The phases, in order.
    pub phases: Vec<Phase>,
}

/// How the peak rate grows with the batch: it holds as it is written for a batch of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scaling {
    /// *peak · batch / per*, the rule of Goyal et al. 2017 for SGD.
    Linear {
        /// The batch that the peak was found at.
        per: f64,
    },
    /// *peak · √(batch / per)*, the rule of Krizhevsky 2014, used with adaptive optimizers such as
    /// LAMB.
    Sqrt {
        /// The batch that the peak was found at.
        per: f64,
    },
}

impl Plan {
    /// The learning rate over a training of that length.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`], with every problem that was found: a horizon of nothing; a number that
    /// is negative, infinite or out of its range; phases in an order that is none; moments that
    /// do not rise, or that lie before their phase; a phase that ends after training does, or has
    /// no time left. Moments beyond the end of training are no error.
    pub fn over(&self, horizon: &Horizon) -> Result<Rate, ScheduleError> {
        let mut problems = horizon.problems();
        self.check_values(&mut problems);
        self.check_order(&mut problems);
        ScheduleError::collect(problems)?;
        let mut problems = Vec::new();
        let segments = self.segments(horizon, &mut problems);
        let peak = self.peak_at(horizon.batch);
        let highest = peak * self.highest_factor();
        if let Err(problem) = Range::Positive
            .check("peak", peak)
            .and_then(|()| Range::Positive.check("the highest rate", highest))
        {
            let place = format!("at a batch of {}", horizon.batch);
            problems.push(ScheduleError::Value { place, problem });
        }
        ScheduleError::collect(problems)?;
        Ok(Rate::new(self.clone(), peak, segments, *horizon))
    }

    /// The peak rate at that batch.
    fn peak_at(&self, batch: usize) -> f64 {
        let batch = batch as f64;
        match self.scaling {
            None => self.peak,
            Some(Scaling::Linear { per }) => self.peak * (batch / per),
            Some(Scaling::Sqrt { per }) => self.peak * (batch / per).sqrt(),
        }
    }

    /// No phase has a factor above this.
    fn highest_factor(&self) -> f64 {
        let ends = self.phases.iter().flat_map(|phase| {
            ["from", "to"].map(|name| match phase.known(name) {
                Known::Number(factor) => factor,
                _ => 1.0,
            })
        });
        ends.fold(1.0, f64::max)
    }

    /// Each number by itself.
    fn check_values(&self, problems: &mut Vec<ScheduleError>) {
        let mut note = |place: &str, checked: Result<(), String>| {
            if let Err(problem) = checked {
                problems.push(ScheduleError::Value {
                    place: place.into(),
                    problem,
                });
            }
        };
        note("the peak rate", Range::Positive.check("peak", self.peak));
        if let Some(Scaling::Linear { per } | Scaling::Sqrt { per }) = self.scaling {
            note("the peak rate", Range::Positive.check("per", per));
        }
        for (place, phase) in self.phases.iter().enumerate() {
            let first = place == 0;
            let place = named(place, phase);
            for (param, argument) in phase.spec().params.iter().zip(phase.arguments()) {
                let Param { name, kind } = param;
                match (argument, kind) {
                    (
                        Argument::Number(Some(value)),
                        Kind::Number(range, _) | Kind::Optional(range),
                    ) => {
                        note(&place, range.check(name, value));
                    }
                    (Argument::Time(Some(time)), Kind::Epochs(_)) => {
                        let (unit, value) = time.parts();
                        note(&place, shared::whole_epochs(name, unit, value));
                    }
                    (Argument::Time(Some(time)), _) => note(&place, time.check(name)),
                    (Argument::Moments(at), _) => {
                        if at.is_empty() {
                            note(
                                &place,
                                Err(format!("`{name}` must name a moment, found none")),
                            );
                        }
                        for (unit, value) in at.iter().map(|at| at.parts()) {
                            note(&place, unit.check(name, value));
                        }
                    }
                    _ => {}
                }
            }
            let known = |name: &str| phase.known(name);
            if let Some((_, problem)) = shared::together(phase.spec(), first, &known) {
                note(&place, Err(problem));
            }
        }
    }

    fn check_order(&self, problems: &mut Vec<ScheduleError>) {
        if self.phases.is_empty() {
            let problem = "expected a phase such as `constant`, found none".into();
            problems.push(ScheduleError::Order {
                place: "the phases".into(),
                problem,
            });
        }
        let chain = self
            .phases
            .iter()
            .map(|phase| (phase.spec(), phase.duration().is_some()));
        for (place, problem) in shared::order(&chain.collect::<Vec<_>>()) {
            let place = named(place, &self.phases[place]);
            problems.push(ScheduleError::Order { place, problem });
        }
    }

    /// The phases with their steps.
    fn segments(&self, horizon: &Horizon, problems: &mut Vec<ScheduleError>) -> Vec<Segment> {
        let total = horizon.steps as f64;
        let mut segments = Vec::new();
        let (mut start, mut entry) = (0.0, 1.0);
        for (place, phase) in self.phases.iter().enumerate() {
            let place = named(place, phase);
            for problem in moments(phase, start, horizon)
                .into_iter()
                .chain(too_short(phase, horizon))
            {
                problems.push(ScheduleError::Value {
                    place: place.clone(),
                    problem,
                });
            }
            let end = match (phase.duration(), phase.spec().unlimited) {
                (Some(duration), _) => whole(start + duration.steps(horizon)),
                (None, Unlimited::Rest) if start >= total => {
                    problems.push(ScheduleError::NothingLeft {
                        place,
                        phase: phase.to_string(),
                        steps: horizon.steps,
                    });
                    break;
                }
                (None, Unlimited::Rest) => total,
                (None, Unlimited::Endless | Unlimited::Never) => f64::INFINITY,
            };
            if end > total && phase.duration().is_some() {
                problems.push(ScheduleError::TooLong {
                    place,
                    phase: phase.to_string(),
                    end,
                    steps: horizon.steps,
                    steps_per_epoch: horizon.steps_per_epoch,
                });
                break;
            }
            let length = end - start;
            segments.push(Segment {
                start,
                length,
                entry,
            });
            entry = phase.factor(&Progress {
                t: length,
                length,
                step: end,
                start,
                entry,
                horizon,
            });
            start = end;
        }
        segments
    }
}

/// What is wrong with the moments of a phase that begins at the step `start`.
fn moments(phase: &Phase, start: f64, horizon: &Horizon) -> Vec<String> {
    let mut wrong = Vec::new();
    for argument in phase.arguments() {
        let Argument::Moments(at) = argument else {
            continue;
        };
        let at: Vec<_> = at
            .iter()
            .map(|at| (at.steps(horizon), at.to_string()))
            .collect();
        for pair in at.windows(2) {
            if let [last, next] = pair {
                wrong.extend(shared::rises((last.0, &last.1), (next.0, &next.1)).err());
            }
        }
        let begins = (start, format!("step {start}"));
        for (moment, shown) in &at {
            let name = phase.spec().name;
            let reached = shared::reached(name, (begins.0, &begins.1), (*moment, shown));
            wrong.extend(reached.err());
        }
    }
    wrong
}

/// What is wrong with the lengths of the cycles of a phase.
fn too_short(phase: &Phase, horizon: &Horizon) -> Vec<String> {
    let params = phase.spec().params.iter().zip(phase.arguments());
    let checked = params.map(|(param, argument)| match (param.kind, argument) {
        (Kind::Time { least, .. }, Argument::Time(Some(time))) => {
            shared::long_enough(param.name, least, time.steps(horizon))
        }
        _ => Ok(()),
    });
    checked.filter_map(Result::err).collect()
}

impl Horizon {
    fn problems(&self) -> Vec<ScheduleError> {
        let fields = [
            (
                "steps",
                self.steps == 0,
                "it is how often the optimizer steps",
            ),
            (
                "steps_per_epoch",
                self.steps_per_epoch == 0,
                "it turns epochs into steps",
            ),
            (
                "batch",
                self.batch == 0,
                "it is the number of examples in a step",
            ),
        ];
        let empty = fields.into_iter().filter(|(_, empty, _)| *empty);
        empty
            .map(|(field, _, means)| ScheduleError::Horizon { field, means })
            .collect()
    }
}

/// ``phase 2, `step` ``
fn named(place: usize, phase: &Phase) -> String {
    format!("phase {}, `{}`", place + 1, phase.spec().name)
}

/// The schedule in words:
/// `0.1 per 256 examples (linear); warmup from 0 over 5 epochs; then x0.1 at epochs 30, 60, 80`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.peak)?;
        match self.scaling {
            None => {}
            Some(Scaling::Linear { per }) => write!(f, " per {per} examples (linear)")?,
            Some(Scaling::Sqrt { per }) => write!(f, " per {per} examples (square root)")?,
        }
        for (place, phase) in self.phases.iter().enumerate() {
            write!(f, "; {}{phase}", if place > 0 { "then " } else { "" })?;
        }
        Ok(())
    }
}
