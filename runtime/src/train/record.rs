//! What a training says of itself: as a whole, after an epoch, at a step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Evaluation, Measurement, Run};

/// A trained model and how it came to be.
#[derive(Debug)]
#[non_exhaustive]
pub struct Trained<M> {
    /// The model, ready for inference; `train()` takes it back to training. Where the optimizer
    /// declares an `average` this is it: that of `ema` or `swa`, and without them the slow weights of
    /// `lookahead`.
    pub model: M,
    /// The weights where the optimizer stood, if `model` is an average of them.
    pub last: Option<M>,
    /// How the training was set up.
    pub setup: Run,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// One record per [so many](super::Trainer::log_every) steps.
    pub log: Vec<StepRecord>,
    /// The number of optimizer steps.
    pub steps: u64,
    /// The time that training took, validation left out.
    pub seconds: f64,
    /// Why a [hook](super::Hook) ended it before its last epoch, if one did.
    pub stopped: Option<String>,
}

impl<M> Trained<M> {
    /// Loss and accuracy on the validation set after the last epoch; `None` without one.
    pub fn validation(&self) -> Option<Evaluation> {
        self.history.last()?.validation
    }
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The optimizer steps until its end, counted through all epochs.
    #[serde(default)]
    pub steps: u64,
    /// The mean training loss over the epoch's steps, each taken before its update.
    pub loss: f64,
    /// The learning rate of its last step.
    pub rate: f64,
    /// Loss and accuracy on the validation set after it.
    pub validation: Option<Evaluation>,
    /// What the [metrics](super::Trainer::metric) of one's own came to, by their names, and the last
    /// that was [measured](super::Trainer::measure) in this epoch of each figure.
    pub metrics: BTreeMap<String, f64>,
    /// All that was measured in this epoch, in the order of the steps.
    #[serde(default)]
    pub measurements: Vec<Measurement>,
    /// The [trust ratio](crate::optim::trust_ratios) of each parameter in its last step, by path:
    /// the norm of the weights over that of their gradient.
    #[serde(default)]
    pub trust_ratios: BTreeMap<String, f64>,
    /// The time that its steps took, in seconds.
    pub seconds: f64,
}

/// What a step came to: one is kept of every [so many](super::Trainer::log_every).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepRecord {
    /// The step, counted from 1 through all epochs.
    pub step: u64,
    /// Its epoch, counted from 1.
    pub epoch: usize,
    /// The loss over its batch, before its update.
    pub loss: f64,
    /// Its learning rate.
    pub rate: f64,
    /// The Euclidean norm of the mean gradient, before it is clipped; with `sharpness` that of the
    /// second pass.
    pub gradient_norm: f64,
    /// How many examples were trained on in a second, since the record before this one.
    pub examples_per_second: f64,
}
