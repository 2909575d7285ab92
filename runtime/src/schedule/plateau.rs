//! The state of a plateau: what it saw, and when it reduced the rate.

use super::{LrSchedulerRecord, Metric, MetricMode, Phase, ThresholdMode};

/// A reduction smaller than this is none, as in PyTorch.
const LEAST: f64 = 1e-8;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plateau {
    rule: Rule,
    pub on: Metric,
    /// The step at which the phase begins.
    start: f64,
    /// The rate that it begins with.
    rate: f64,
    /// The best value that was observed; the worst of all before the first.
    best: f64,
    /// How many epochs in a row were no better.
    bad: u64,
    /// Epochs that are left of the cooldown.
    cooldown: u64,
    /// The steps from which on the rate is lower, rising, and the rate.
    reductions: Vec<(u64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rule {
    factor: f64,
    patience: u64,
    threshold: f64,
    threshold_mode: ThresholdMode,
    cooldown: u64,
    min_lr: f64,
    mode: MetricMode,
}

impl Plateau {
    /// That of `phase`, if it is one, which begins at the step `start` with `rate`.
    pub(super) fn new(phase: &Phase, start: f64, rate: f64) -> Option<Plateau> {
        let Phase::Plateau {
            factor,
            patience,
            threshold,
            threshold_mode,
            cooldown,
            min_lr,
            on,
            mode,
        } = phase
        else {
            return None;
        };
        let mode = mode.or(on.mode())?;
        Some(Plateau {
            rule: Rule {
                factor: *factor,
                patience: patience.parts().1 as u64,
                threshold: *threshold,
                threshold_mode: *threshold_mode,
                cooldown: cooldown.parts().1 as u64,
                min_lr: *min_lr,
                mode,
            },
            on: on.clone(),
            start,
            rate,
            best: worst(mode),
            bad: 0,
            cooldown: 0,
            reductions: Vec::new(),
        })
    }

    /// The rate of `step`, if it was reduced by then.
    pub(super) fn rate(&self, step: u64) -> Option<f64> {
        let come = self.reductions.partition_point(|(from, _)| *from <= step);
        self.reductions[..come].last().map(|(_, rate)| *rate)
    }

    /// Takes the `value` that the metric has after `steps` steps.
    pub(super) fn observe(&mut self, steps: u64, value: f64) {
        if steps as f64 <= self.start {
            return;
        }
        if self.rule.is_better(value, self.best) {
            self.best = value;
            self.bad = 0;
        } else {
            self.bad = self.bad.saturating_add(1);
        }
        if self.cooldown > 0 {
            self.cooldown -= 1;
            self.bad = 0;
        }
        if self.bad > self.rule.patience {
            self.cooldown = self.rule.cooldown;
            self.bad = 0;
            self.reductions
                .extend(self.reduced().map(|rate| (steps, rate)));
        }
    }

    /// The rate after the next reduction, if that is one.
    fn reduced(&self) -> Option<f64> {
        let rate = self.reductions.last().map_or(self.rate, |(_, rate)| *rate);
        let next = (rate * self.rule.factor).max(self.rule.min_lr);
        (rate - next > LEAST).then_some(next)
    }

    pub(super) fn to_record(&self) -> LrSchedulerRecord {
        let record = LrSchedulerRecord::new()
            .with_scalar(BEST, self.best)
            .with_scalar(BAD, self.bad)
            .with_scalar(COOLDOWN, self.cooldown)
            .with_scalar(REDUCTIONS, self.reductions.len() as u64);
        let steps = self.reductions.iter().enumerate();
        steps.fold(record, |record, (index, (step, _))| {
            record.with_scalar(&index.to_string(), *step)
        })
    }

    /// This plateau in the state of `record`, which was written before the step `next`; `None`
    /// where anything of it is missing or cannot be.
    pub(super) fn resumed(&self, record: &LrSchedulerRecord, next: u64) -> Option<Plateau> {
        let mut resumed = Plateau {
            best: record.scalar(BEST)?,
            bad: record.scalar(BAD)?,
            cooldown: record.scalar(COOLDOWN)?,
            reductions: Vec::new(),
            ..self.clone()
        };
        let mut last = self.start;
        for index in 0..record.scalar::<u64>(REDUCTIONS)? {
            let step: u64 = record.scalar(&index.to_string())?;
            if step as f64 <= last || step > next {
                return None;
            }
            last = step as f64;
            resumed.reductions.push((step, resumed.reduced()?));
        }
        let seen = resumed.best != worst(self.rule.mode);
        let untouched = resumed.bad == 0 && resumed.cooldown == 0 && resumed.reductions.is_empty();
        // Before its first step nothing was observed.
        let possible = next as f64 > self.start || (untouched && !seen);
        (possible && !resumed.best.is_nan()).then_some(resumed)
    }
}

impl Rule {
    /// Whether `value` is better than `best`; a NaN never is.
    fn is_better(&self, value: f64, best: f64) -> bool {
        let Rule {
            threshold, mode, ..
        } = *self;
        match (mode, self.threshold_mode) {
            (MetricMode::Min, ThresholdMode::Relative) => value < best * (1.0 - threshold),
            (MetricMode::Min, ThresholdMode::Absolute) => value < best - threshold,
            (MetricMode::Max, ThresholdMode::Relative) => value > best * (threshold + 1.0),
            (MetricMode::Max, ThresholdMode::Absolute) => value > best + threshold,
        }
    }
}

/// What every value is better than.
fn worst(mode: MetricMode) -> f64 {
    match mode {
        MetricMode::Min => f64::INFINITY,
        MetricMode::Max => f64::NEG_INFINITY,
    }
}

/// The names in a record; the steps of the reductions are called by their number.
const BEST: &str = "best";
const BAD: &str = "bad";
const COOLDOWN: &str = "cooldown";
const REDUCTIONS: &str = "reductions";
