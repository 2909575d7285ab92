//! Early stopping: a training ends when a metric no longer gets better.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schedule::{Metric, MetricMode};
use crate::train::{EpochRecord, Flow, Hook, HookError};

/// Ends a training when a metric has not become better for some epochs.
///
/// A regularisation as good as weight decay, and one that saves time: for a quadratic loss the two are
/// the same (Goodfellow, Bengio and Courville 2016, section 7.8). The model that training returns is
/// the last; [`Checkpoints::best`](crate::train::Checkpoints::best) keeps the best.
///
/// An epoch is better if its metric is better than the best so far by more than
/// [`min_delta`](Self::min_delta); what is not finite never is. Training ends after the first epoch that makes more
/// than [`patience`](Self::patience) in a row that were not.
///
/// ```
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::schedule::{Metric, MetricMode};
/// use kiln::train::EarlyStopping;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(64) -> relu -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! { struct Adam; update adam(); }
/// schedule! { struct Constant; peak 0.02; constant; }
///
/// let (train, test) = digits()?.split(0.5, 1)?;
/// let run = Trainer::new(NetConfig::new().init(&default_device()?)?, Adam::new(), Constant::new())
///     .epochs(200)
///     .validate(&test)
///     .hook(EarlyStopping::new(Metric::ValidationLoss, MetricMode::Min).patience(3))
///     .quiet()
///     .fit(train)?;
/// assert!(run.history.len() < 200);
/// println!("{}", run.stopped.unwrap());
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EarlyStopping {
    metric: Metric,
    mode: MetricMode,
    patience: usize,
    min_delta: f64,
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The best value, and its epoch.
    best: Option<(f64, usize)>,
    /// The epochs since then.
    bad: usize,
}

impl EarlyStopping {
    /// Ends after the first epoch that is not better.
    pub fn new(metric: Metric, mode: MetricMode) -> Self {
        EarlyStopping {
            metric,
            mode,
            patience: 0,
            min_delta: 0.0,
            state: State::default(),
        }
    }

    /// How many epochs in a row may be no better.
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// By how much an epoch has to be better, in the metric's own unit.
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.min_delta = min_delta;
        self
    }
}

impl<M> Hook<M> for EarlyStopping {
    fn name(&self) -> &'static str {
        "EarlyStopping"
    }

    fn epoch(&mut self, epoch: &EpochRecord, _: &M) -> Result<Flow, HookError> {
        let metric = &self.metric;
        let value = epoch.measured(metric).ok_or_else(|| {
            format!(
                "early stopping watches `{metric}`, which this training does not measure: add \
                 `.validate(..)`, `.metric(..)` or `.measure(..)`, or watch `training_loss`"
            )
        })?;
        let State { best, bad } = &mut self.state;
        let better = best.is_none_or(|(best, _)| match self.mode {
            MetricMode::Min => value < best - self.min_delta,
            MetricMode::Max => value > best + self.min_delta,
        });
        if better && value.is_finite() {
            (*best, *bad) = (Some((value, epoch.epoch)), 0);
            return Ok(Flow::Continue(()));
        }
        *bad += 1;
        if *bad <= self.patience {
            return Ok(Flow::Continue(()));
        }
        let since = match best {
            Some((best, epoch)) => format!("since epoch {epoch}, where it was {best}"),
            None => "from the start".to_owned(),
        };
        Ok(Flow::Break(format!(
            "`{metric}` has not become better {since}"
        )))
    }

    fn save(&mut self) -> Result<Value, HookError> {
        Ok(serde_json::to_value(&self.state)?)
    }

    fn restore(&mut self, state: &Value) -> Result<(), HookError> {
        self.state = State::deserialize(state)?;
        Ok(())
    }
}
