//! Hooks: what a user does at the steps and epochs of a training.

use std::error::Error;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EpochRecord, StepRecord};

/// How a training is set up: what it tells its hooks before it begins, and keeps in
/// [`Trained`](super::Trained).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Run {
    /// The name of the model's declaration.
    pub model: String,
    /// The optimizer in the language of [`optimizer!`](crate::optimizer), one statement a line.
    pub optimizer: String,
    /// The schedule in words.
    pub schedule: String,
    /// How many epochs it is to have.
    pub epochs: usize,
    /// The optimizer steps of each; 0 where it failed before that was known.
    pub steps_per_epoch: usize,
    /// The global batch.
    pub batch: usize,
    /// The pieces in which the batch goes through the model.
    pub micro_batches: usize,
    /// The seed of the examples' order and of every random number.
    pub seed: u64,
    /// How many examples are trained on.
    pub examples: usize,
    /// How many it is validated on; none where it is not.
    pub validation: Option<usize>,
    /// The backend that it runs on.
    pub device: String,
    /// How many processes train it together.
    pub processes: usize,
    /// The steps that are behind it: not 0 where it is resumed.
    pub steps: u64,
}

/// An error of a hook, which ends the training.
pub type HookError = Box<dyn Error + Send + Sync>;

/// Whether a training goes on; a hook that ends it says why.
pub type Flow = ControlFlow<String>;

/// Acts on the steps and epochs of a training.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::train::{EpochRecord, Flow, Hook, HookError};
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! { struct Plain; update sgd(); }
/// schedule! { struct Constant; peak 0.5; constant; }
///
/// /// Ends the training once it is good enough.
/// struct Enough(f64);
///
/// impl<M: Model> Hook<M> for Enough {
///     fn epoch(&mut self, epoch: &EpochRecord, _: &M) -> Result<Flow, HookError> {
///         Ok(match epoch.validation.and_then(|validation| validation.accuracy) {
///             Some(accuracy) if accuracy >= self.0 => ControlFlow::Break(format!("{accuracy} is enough")),
///             _ => ControlFlow::Continue(()),
///         })
///     }
/// }
///
/// let (train, test) = digits()?.split(0.8, 1)?;
/// let run = Trainer::new(NetConfig::new().init(&default_device()?)?, Plain::new(), Constant::new())
///     .epochs(50)
///     .validate(&test)
///     .hook(Enough(0.9))
///     .quiet()
///     .fit(train)?;
/// assert!(run.history.len() < 50);
/// assert!(run.stopped.unwrap().ends_with("is enough"));
/// # Ok::<(), kiln::Error>(())
/// ```
pub trait Hook<M> {
    /// Before the first step, and after [`restore`](Self::restore) where the training is resumed.
    ///
    /// # Errors
    ///
    /// An error ends the training.
    fn begin(&mut self, run: &Run) -> Result<(), HookError> {
        let _ = run;
        Ok(())
    }

    /// After each step that is [logged](super::Trainer::log_every), with the model in training.
    ///
    /// # Errors
    ///
    /// An error ends the training.
    fn step(&mut self, step: &StepRecord, model: &M) -> Result<Flow, HookError> {
        let _ = (step, model);
        Ok(Flow::Continue(()))
    }

    /// After each epoch, with the model that the training would return then.
    ///
    /// # Errors
    ///
    /// An error ends the training.
    fn epoch(&mut self, epoch: &EpochRecord, model: &M) -> Result<Flow, HookError> {
        let _ = (epoch, model);
        Ok(Flow::Continue(()))
    }

    /// What a checkpoint calls this hook: the name of its type.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// What a checkpoint is to keep of this hook.
    ///
    /// A training that is resumed gives it to the hook of the same [name](Self::name), to the first of
    /// them what the first had. A hook for which there is nothing begins anew.
    ///
    /// # Errors
    ///
    /// An error ends the training.
    fn save(&mut self) -> Result<Value, HookError> {
        Ok(Value::Null)
    }

    /// Goes on from what [`save`](Self::save) gave.
    ///
    /// # Errors
    ///
    /// An error ends the training.
    fn restore(&mut self, state: &Value) -> Result<(), HookError> {
        let _ = state;
        Ok(())
    }
}
