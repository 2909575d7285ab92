//! What can stop a training.

use std::fmt;
use std::path::PathBuf;

use super::{CheckpointError, HookError, Trained};
use crate::data::DataError;
use crate::exchange::ExchangeError;
use crate::flatness::FlatnessError;
use crate::model::MismatchError;
use crate::optim::OptimizerError;
use crate::schedule::ScheduleError;

/// Why a training or an evaluation stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A number that cannot be.
    #[error("`{name}` is {expected}, found {found}")]
    Argument {
        /// What was given.
        name: &'static str,
        /// Its value.
        found: usize,
        /// What it may be.
        expected: &'static str,
    },
    /// A batch that the pieces do not divide.
    #[error(
        "a batch of {batch} cannot be cut into {pieces} micro-batches of equal size; \
         make the batch a multiple of {pieces}"
    )]
    MicroBatches {
        /// The global batch.
        batch: usize,
        /// The number of micro-batches.
        pieces: usize,
    },
    /// A batch that the processes do not divide.
    #[error(
        "a batch of {batch} cannot be cut into {pieces} micro-batches of equal size for each of \
         {ranks} processes; make the batch a multiple of {}",
        pieces.saturating_mul(*ranks)
    )]
    Ranks {
        /// The global batch.
        batch: usize,
        /// The number of micro-batches.
        pieces: usize,
        /// The number of processes.
        ranks: usize,
    },
    /// A process that was told something else than the first.
    #[error(
        "this process trains something else than the first of them:{}\n\
         all have to be given the same declarations, numbers and data",
        differences.iter().map(|one| format!("\n  {one}")).collect::<String>()
    )]
    Differs {
        /// In what, with both values.
        differences: Vec<String>,
    },
    /// Processes whose weights are no longer the same.
    #[error(
        "process {rank} has other weights than process 0 after epoch {epoch}: they compute the same \
         update in different ways; run the same program on processors of the same kind"
    )]
    Parted {
        /// The first that differs.
        rank: usize,
        /// The epoch, counted from 1.
        epoch: usize,
    },
    /// A rule that works in one process alone.
    #[error(
        "`{statement}` trains in one process alone: its products are over the examples of that one; \
         start one, or use `lbfgs` with several"
    )]
    OneProcess {
        /// The rule.
        statement: String,
    },
    /// Several processes that could not go on together.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// A loss that is a NaN or an infinity; where the optimizer declares `sharpness`, that of either
    /// pass.
    #[error(
        "the loss is {loss} at epoch {epoch}, step {step} (learning rate {rate}){}; \
         lower the learning rate or warm it up, clip the gradient, or look for bad values in the data",
        layer.as_ref().map_or(String::new(), |layer| format!(", first seen in the output of `{layer}`"))
    )]
    NonFinite {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step within it, counted from 1.
        step: usize,
        /// The loss.
        loss: f64,
        /// The learning rate of that step.
        rate: f64,
        /// The path of the first layer whose output is not finite. `None` where the loss was read
        /// later than its step, as on a GPU, or where every layer's output is finite.
        layer: Option<String>,
    },
    /// Weights that are NaN or infinite, though every loss of the epoch was finite.
    #[error(
        "`{parameter}` is not finite after epoch {epoch}, though every loss of the epoch was; \
         lower the learning rate or warm it up, or clip the gradient"
    )]
    Diverged {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The path of a parameter that is not finite.
        parameter: String,
    },
    /// A model without parameters, or whose parameters are all frozen.
    #[error("the model has no parameter to train: add a layer with weights, or unfreeze one")]
    NothingToTrain,
    /// A data set that does not fit the model.
    #[error(transparent)]
    Mismatch(#[from] MismatchError),
    /// An error of the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A schedule that does not fit the training.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// A plateau that watches a metric which the training does not measure.
    #[error(
        "the schedule's plateau watches `{metric}`, which this training does not measure: {fix}"
    )]
    Unobserved {
        /// The metric.
        metric: String,
        /// What to add, or to watch instead.
        fix: &'static str,
    },
    /// A checkpoint that could not be written, or not be gone on from.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Ctrl-C or SIGTERM. All that the training had come to is in the checkpoint.
    #[error(
        "{signal} after step {steps}; the training is in {}, and goes on from there when it is \
         resumed (`Checkpoints::resume`)",
        checkpoint.display()
    )]
    Interrupted {
        /// The signal.
        signal: &'static str,
        /// The steps that were taken.
        steps: u64,
        /// What to go on from.
        checkpoint: PathBuf,
    },
    /// Two metrics or figures of one name.
    #[error("two things are measured as `{name}`: give one of them another name")]
    TwiceNamed {
        /// The name.
        name: String,
    },
    /// A metric of Burn's without a data set to measure it on.
    #[error(
        "`{metric}` is measured on a validation set, and there is none: add `.validate(&source)`"
    )]
    NoValidation {
        /// The metric.
        metric: String,
    },
    /// A metric of Burn's that could not be computed.
    #[error("the metric `{name}` could not be computed: {reason}")]
    Metric {
        /// The metric.
        name: String,
        /// Burn's reason.
        reason: String,
    },
    /// A [hook](super::Hook) that failed.
    #[error("a hook of the training failed: {0}")]
    Hook(#[source] HookError),
    /// A step of `update newton_cg(..)` whose gradient or products are not finite.
    #[error(transparent)]
    Curvature(#[from] FlatnessError),
    /// An optimizer that does not fit the model.
    #[error(transparent)]
    Optimizer(#[from] OptimizerError),
}

/// A training that stopped, with what it had come to.
#[derive(Debug)]
pub struct TrainFailure<M> {
    /// Why.
    pub error: TrainError,
    /// The last model with finite weights, no average of them, and the epochs that were finished.
    pub trained: Box<Trained<M>>,
}

impl<M> fmt::Display for TrainFailure<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<M: fmt::Debug> std::error::Error for TrainFailure<M> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
