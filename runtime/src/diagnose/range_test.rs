//! The learning-rate range test.

mod plot;

use std::fmt;
use std::ops::ControlFlow;

use burn::config::Config;
use serde::{Deserialize, Serialize};

use super::DiagnoseError;
use crate::data::Source;
use crate::model::Model;
use crate::optim::Optimizer;
use crate::schedule::{Phase, Plan, Schedule, Time};
use crate::svg::short;
use crate::train::{Flow, Hook, HookError, StepRecord, TrainError, TrainFailure, Trainer};

/// The share of a smoothed loss that the one before it keeps, as in fastai.
const SMOOTHING: f64 = 0.98;
/// The test ends where the smoothed loss is more than so many times its best, as in fastai.
const EXPLODES: f64 = 4.0;
/// Suggestions leave out this share of the steps at the beginning, where the smoothed loss is that
/// of few steps, and this many at the end, as in fastai.
const SKIPPED: usize = 10;
const LAST: usize = 5;

/// The learning-rate range test of [Smith 2017](https://arxiv.org/abs/1506.01186): a short training
/// whose rate grows exponentially, until the loss explodes.
///
/// It trains a copy, with the optimizer and the batch that are to be used. The rate of step *i* of
/// *n*, from 0, is *from · (to/from)^(i/(n − 1))*. The losses are smoothed as in fastai's
/// `lr_find`: *a ← 0.98 a + 0.02 loss*, over *1 − 0.98^(i + 1)*. The test ends after n steps,
/// when the smoothed loss exceeds four times the smallest so far, or when the loss is not finite. Where
/// the smallest is not above 0, four times it is no bound: there the test ends when the smoothed loss
/// lies above the smallest by three times what it has fallen, or three times the size of the first.
///
/// ```
/// use kiln::data::digits;
/// use kiln::diagnose::RangeTest;
/// use kiln::prelude::*;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(32) -> relu -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! { struct Momentum; update sgd(momentum: 0.9); }
///
/// let model = NetConfig::new().init(&default_device()?)?;
/// let curve = RangeTest::new().from(1e-4).to(100.0).run(&model, Momentum::new(), digits()?)?;
/// println!("{curve}");
/// let peak = curve.steepest.unwrap();
/// assert!(peak > 1e-3 && peak < 10.0);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RangeTest {
    from: f64,
    to: f64,
    steps: usize,
    batch: usize,
    seed: u64,
    workers: usize,
}

impl Default for RangeTest {
    fn default() -> Self {
        RangeTest::new()
    }
}

impl RangeTest {
    /// From 1e-7 to 10 in 100 steps, as in fastai, at a batch of 64, with the seed 0.
    pub fn new() -> Self {
        RangeTest {
            from: 1e-7,
            to: 10.0,
            steps: 100,
            batch: 64,
            seed: 0,
            workers: 1,
        }
    }

    /// The rate of the first step.
    pub fn from(mut self, rate: f64) -> Self {
        self.from = rate;
        self
    }

    /// The rate of the last step.
    pub fn to(mut self, rate: f64) -> Self {
        self.to = rate;
        self
    }

    /// How many steps there are, at most.
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// How many examples a step sees: as many as in the training that is to follow, since the rate
    /// depends on it.
    pub fn batch(mut self, examples: usize) -> Self {
        self.batch = examples;
        self
    }

    /// The seed of the examples' order and of the random numbers in the steps.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many threads fetch batches ahead.
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads;
        self
    }

    /// Trains a copy of `model` on `source`; the model itself stays as it is.
    ///
    /// # Errors
    ///
    /// Rates that are not positive and finite or do not rise, fewer than two steps, and whatever
    /// stops a [`Trainer`] but a loss that is not finite, which is what the test looks for.
    pub fn run<M: Model>(
        &self,
        model: &M,
        optimizer: impl Optimizer,
        source: impl Source + 'static,
    ) -> Result<RateCurve, DiagnoseError> {
        let RangeTest {
            from,
            to,
            steps,
            batch,
            seed,
            workers,
        } = *self;
        let argument = |name, found: String, expected| DiagnoseError::Argument {
            name,
            found,
            expected,
        };
        if !(from > 0.0 && from.is_finite()) {
            return Err(argument("from", from.to_string(), "positive and finite"));
        }
        if !(to > from && to.is_finite()) {
            let expected = "finite and larger than `from`";
            return Err(argument("to", to.to_string(), expected));
        }
        if steps < 2 {
            return Err(argument("steps", steps.to_string(), "at least 2"));
        }
        // A batch that is too large is the trainer's to refuse.
        let each = (source.len() / batch.max(1)).max(1);
        let run = Trainer::new(model.valid(), optimizer, Sweep::new(from, to, steps))
            .epochs(steps.div_ceil(each))
            .batch(batch)
            .seed(seed)
            .workers(workers)
            .log_every(1)
            .hook(Explosion::new(steps))
            .quiet()
            .fit(source);
        let (log, explodes) = match run {
            Ok(run) => (run.log, false),
            Err(TrainFailure {
                error: TrainError::NonFinite { .. } | TrainError::Diverged { .. },
                trained,
            }) => (trained.log, true),
            Err(failure) => return Err(failure.error.into()),
        };
        Ok(RateCurve::new(&log, steps, explodes))
    }
}

/// A rate that grows by the same factor from step to step.
#[derive(Config, Debug)]
struct Sweep {
    from: f64,
    to: f64,
    steps: usize,
}

impl Schedule for Sweep {
    /// The language's `exponential` only falls, so each step is a line of its own, which begins at
    /// the rate of the step.
    fn plan(&self) -> Plan {
        let factor = |step: usize| {
            let left = (self.steps - 1 - step) as f64 / (self.steps - 1) as f64;
            (self.from / self.to).powf(left)
        };
        let phases = (0..self.steps).map(|step| Phase::Linear {
            // The last one takes what is left of its epoch.
            duration: (step + 1 < self.steps).then_some(Time::Steps(1.0)),
            from: factor(step),
            to: factor(step),
        });
        Plan {
            peak: self.to,
            scaling: None,
            phases: phases.collect(),
        }
    }
}

/// Ends the test.
struct Explosion {
    steps: usize,
    smooth: Smooth,
    first: Option<f64>,
    best: f64,
}

impl Explosion {
    fn new(steps: usize) -> Self {
        Explosion {
            steps,
            smooth: Smooth::default(),
            first: None,
            best: f64::INFINITY,
        }
    }

    /// Whether the loss explodes.
    fn sees(&mut self, loss: f64) -> (f64, bool) {
        let smoothed = self.smooth.next(loss);
        let first = *self.first.get_or_insert(smoothed);
        self.best = self.best.min(smoothed);
        let explodes = match self.best > 0.0 {
            true => smoothed > EXPLODES * self.best,
            false => {
                let size = first.abs().max(first - self.best);
                smoothed - self.best > (EXPLODES - 1.0) * size
            }
        };
        (smoothed, explodes)
    }
}

impl<M> Hook<M> for Explosion {
    fn step(&mut self, step: &StepRecord, _: &M) -> Result<Flow, HookError> {
        let (_, explodes) = self.sees(step.loss);
        Ok(match explodes || step.step >= self.steps as u64 {
            true => ControlFlow::Break("the range test is over".to_owned()),
            false => ControlFlow::Continue(()),
        })
    }
}

/// An exponential mean, with its bias at the beginning taken out.
#[derive(Default)]
struct Smooth {
    mean: f64,
    count: i32,
}

impl Smooth {
    fn next(&mut self, loss: f64) -> f64 {
        self.mean = SMOOTHING * self.mean + (1.0 - SMOOTHING) * loss;
        self.count += 1;
        self.mean / (1.0 - SMOOTHING.powi(self.count))
    }
}

/// What a [`RangeTest`] came to. `Display` says it in words, serde as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateCurve {
    /// One for each step with a finite loss.
    pub points: Vec<RangePoint>,
    /// The rate at which the smoothed loss falls most steeply over the logarithm of the rate: near
    /// the largest that trains well. The first tenth of the steps and the last five are left out.
    /// `None` where nothing is left, or where the loss never falls.
    pub steepest: Option<f64>,
    /// A tenth of the rate at which the smoothed loss is smallest, of the same steps: more cautious
    /// where the loss is noisy.
    pub tenth_of_minimum: Option<f64>,
    /// The rate at which the loss exploded: that of the step whose smoothed loss is too large, or of
    /// the step whose update made the next loss infinite or no number. `None` where the largest rate
    /// was reached before.
    pub explodes: Option<f64>,
}

/// A step of a [`RangeTest`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangePoint {
    /// Its learning rate.
    pub rate: f64,
    /// The loss over its batch, before its update.
    pub loss: f64,
    /// The loss smoothed over this step and those before.
    pub smoothed: f64,
}

impl RateCurve {
    /// The curve of a test of `steps` steps that has this log; its loss was not finite at last if it
    /// `explodes`.
    fn new(log: &[StepRecord], steps: usize, explodes: bool) -> Self {
        let mut explosion = Explosion::new(steps);
        let mut over = explodes;
        let finite = log
            .iter()
            .take(steps)
            .take_while(|record| record.loss.is_finite());
        let points = finite.map(|record| {
            let (smoothed, explodes) = explosion.sees(record.loss);
            over |= explodes;
            RangePoint {
                rate: record.rate,
                loss: record.loss,
                smoothed,
            }
        });
        let points: Vec<RangePoint> = points.collect();
        let end = points.len().saturating_sub(LAST);
        let seen = points.get(steps / SKIPPED..end).unwrap_or_default();
        let slope = |pair: &[RangePoint]| match pair {
            [a, b] => Some(((b.smoothed - a.smoothed) / (b.rate / a.rate).ln(), a.rate)),
            _ => None,
        };
        let slopes = seen.windows(2).filter_map(slope);
        let steepest = slopes.min_by(|a, b| a.0.total_cmp(&b.0));
        let least = seen.iter().min_by(|a, b| a.smoothed.total_cmp(&b.smoothed));
        RateCurve {
            steepest: steepest
                .filter(|(slope, _)| *slope < 0.0)
                .map(|(_, rate)| rate),
            tenth_of_minimum: least.map(|point| point.rate / 10.0),
            explodes: points.last().filter(|_| over).map(|point| point.rate),
            points,
        }
    }

    /// The points as CSV, with a line of names: `rate,loss,smoothed`.
    pub fn csv(&self) -> String {
        let lines = self.points.iter().map(|point| {
            let RangePoint {
                rate,
                loss,
                smoothed,
            } = point;
            format!("{rate},{loss},{smoothed}\n")
        });
        std::iter::once("rate,loss,smoothed\n".to_owned())
            .chain(lines)
            .collect()
    }
}

impl fmt::Display for RateCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |rate: Option<f64>| rate.map_or("none".to_owned(), short);
        let ends = (self.points.first(), self.points.last());
        if let (Some(first), Some(last)) = ends {
            let (count, first, last) = (self.points.len(), short(first.rate), short(last.rate));
            writeln!(f, "{count} steps, with rates from {first} to {last}")?;
        }
        writeln!(f, "the loss falls most steeply at  {}", rate(self.steepest))?;
        writeln!(
            f,
            "a tenth of its minimum's rate   {}",
            rate(self.tenth_of_minimum)
        )?;
        write!(f, "the loss explodes at            {}", rate(self.explodes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_falls_through_0_does_not_explode_before_it_rises() {
        let mut explosion = Explosion::new(1000);
        let falls = (0..300).map(|step| 1.5 - 0.01 * f64::from(step));
        assert!(falls.into_iter().all(|loss| !explosion.sees(loss).1));
        let best = explosion.best;
        assert!(best < 0.0);
        // A smoothed loss of three falls above the smallest, which the mean reaches slowly.
        let rises: Vec<_> = (0..300).map(|_| explosion.sees(20.0)).collect();
        let end = rises.iter().position(|(_, explodes)| *explodes).unwrap();
        let bound = best + 3.0 * (1.5 - best);
        assert!(rises[end].0 > bound && rises[end - 1].0 <= bound);
    }

    #[test]
    fn a_loss_around_a_negative_number_does_not_explode() {
        let mut explosion = Explosion::new(1000);
        let noisy = (0..300).map(|step| -5.0 + f64::from(step).sin());
        assert!(noisy.into_iter().all(|loss| !explosion.sees(loss).1));
    }
}
