//! What a diagnosis is made from, and the training loss as one curve.

use super::Place;
use crate::data::Target;
use crate::model::{Model, ModelConfig};
use crate::train::{EpochRecord, StepRecord, TrainError, TrainFailure, Trained};

/// The records of a training, of one that ended, failed or lies in a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Records<'a> {
    /// One record for each epoch.
    pub history: &'a [EpochRecord],
    /// Single steps, in their order.
    pub log: &'a [StepRecord],
    /// The number of classes among which the network chooses, where it does: a guess has a cross
    /// entropy of their logarithm, and is right once in as many times. The loss is taken for a cross
    /// entropy; of another one, such as `multi_margin`, leave it out where it is not of that size.
    pub classes: Option<usize>,
    /// Why the training stopped, if it did because its numbers were not finite.
    pub diverged: Option<String>,
}

impl<'a> Records<'a> {
    /// Records as they may lie in a file.
    pub fn new(history: &'a [EpochRecord], log: &'a [StepRecord]) -> Self {
        Records {
            history,
            log,
            classes: None,
            diverged: None,
        }
    }

    /// Among how many classes the network chooses.
    pub fn classes(mut self, classes: usize) -> Self {
        self.classes = Some(classes);
        self
    }
}

impl<'a, M: Model> From<&'a Trained<M>> for Records<'a> {
    fn from(run: &'a Trained<M>) -> Self {
        let classes = match run.model.config().targets()[..] {
            [Target::Classes(classes, _)] => Some(classes),
            _ => None,
        };
        Records {
            classes,
            ..Records::new(&run.history, &run.log)
        }
    }
}

impl<'a, M: Model> From<&'a TrainFailure<M>> for Records<'a> {
    fn from(failure: &'a TrainFailure<M>) -> Self {
        let diverged = match &failure.error {
            error @ (TrainError::NonFinite { .. } | TrainError::Diverged { .. }) => {
                Some(error.to_string())
            }
            _ => None,
        };
        Records {
            diverged,
            ..Records::from(&*failure.trained)
        }
    }
}

/// From this many epochs on a curve is made of epochs.
pub(super) const EPOCHS: usize = 5;
/// Of fewer epochs, it is made of the log, from this many records on,
const LOGGED: usize = 40;
/// in this many pieces.
const PIECES: usize = 10;

/// A mean of the training loss over a time.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub at: Place,
    pub loss: f64,
    /// How sure the mean is: its standard error over the steps, where they are known.
    pub error: f64,
    /// The sum of the learning rates of all steps until the middle of the time.
    pub way: f64,
}

/// The training loss over time.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub points: Vec<Point>,
    /// The loss that the training began with.
    pub start: f64,
    /// Whether it is that of the first step, before any update.
    pub from_first_step: bool,
    /// The cross entropy of a guess; infinite where nothing is chosen.
    pub guess: f64,
    /// What losses are measured by: the loss at the start or that of a guess, whichever is smaller.
    pub scale: f64,
}

impl Curve {
    /// The reason where there is none.
    pub(super) fn new(records: &Records<'_>) -> Result<Curve, &'static str> {
        let Records { history, log, .. } = *records;
        let points = if history.len() >= EPOCHS {
            epochs(history)
        } else if log.len() >= LOGGED {
            pieces(log)
        } else {
            return Err(
                "needs 5 epochs, or 40 steps of the log: train longer, or log more with \
                 `.log_every(..)`",
            );
        };
        let mut known = points.iter();
        if !known.all(|point| point.loss.is_finite() && point.way.is_finite()) {
            return Err("the training losses or the learning rates are not finite");
        }
        let below = "needs a training loss that begins above 0 and stays there: the rules measure \
                     in shares of it";
        if points.iter().any(|point| point.loss < 0.0) {
            return Err(below);
        }
        let first = points.first().ok_or(below)?;
        let epoch = history.first();
        let early = log.first().filter(|record| {
            record.loss.is_finite() && epoch.is_none_or(|epoch| 4 * record.step <= epoch.steps)
        });
        let guess = records.classes.filter(|classes| *classes > 1);
        let guess = guess.map_or(f64::INFINITY, |classes| (classes as f64).ln());
        // A small first batch may be an easy one.
        let least = if guess.is_finite() {
            first.loss.min(guess)
        } else {
            0.0
        };
        let start = early.map_or(first.loss, |record| record.loss.max(least));
        let scale = start.min(guess);
        if scale <= 0.0 {
            return Err(below);
        }
        Ok(Curve {
            points,
            start,
            from_first_step: early.is_some_and(|record| record.step <= 1),
            guess,
            scale,
        })
    }

    /// The loss at the end.
    pub(super) fn end(&self) -> f64 {
        self.points.last().map_or(f64::NAN, |point| point.loss)
    }
}

fn epochs(history: &[EpochRecord]) -> Vec<Point> {
    let (mut way, mut before, mut steps) = (0.0, None, 0);
    let points = history.iter().map(|epoch| {
        // Of records without a count of steps, each epoch counts as one.
        let length = epoch.steps.saturating_sub(steps).max(1) as f64;
        steps = epoch.steps;
        let mean = (before.unwrap_or(epoch.rate) + epoch.rate) / 2.0;
        before = Some(epoch.rate);
        let middle = way + mean * length / 2.0;
        way += mean * length;
        Point {
            at: Place::Epoch(epoch.epoch),
            loss: epoch.loss,
            error: 0.0,
            way: middle,
        }
    });
    points.collect()
}

fn pieces(log: &[StepRecord]) -> Vec<Point> {
    let (mut way, mut step) = (0.0, 0);
    let ways: Vec<f64> = log
        .iter()
        .map(|record| {
            way += record.rate * record.step.saturating_sub(step) as f64;
            step = record.step;
            way
        })
        .collect();
    let length = log.len().div_ceil(PIECES);
    let pieces = log.chunks(length).zip(ways.chunks(length));
    let points = pieces.filter_map(|(piece, ways)| {
        let (first, last) = (piece.first()?, piece.last()?);
        let count = piece.len() as f64;
        let loss = piece.iter().map(|record| record.loss).sum::<f64>() / count;
        let squares = piece.iter().map(|record| (record.loss - loss).powi(2));
        Some(Point {
            at: Place::Steps(first.step, last.step),
            loss,
            error: (squares.sum::<f64>() / (count - 1.0).max(1.0) / count).sqrt(),
            way: ways.iter().sum::<f64>() / count,
        })
    });
    points.collect()
}

/// The middle one of `values`, the upper of two; `None` of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
