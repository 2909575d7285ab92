//! One error type for programs that only pass errors on.

use crate::data::DataError;
use crate::device::DeviceError;
use crate::diagnose::DiagnoseError;
use crate::exchange::ExchangeError;
use crate::flatness::FlatnessError;
use crate::model::{GraphError, InitError, MismatchError, StoreError};
use crate::optim::OptimizerError;
use crate::report::ReportError;
use crate::schedule::ScheduleError;
use crate::train::{CheckpointError, TrainError, TrainFailure};

/// Any error of Kiln, for `fn main() -> kiln::Result`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A device that is not there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Hyper-parameters that give an impossible network.
    #[error(transparent)]
    Init(#[from] InitError),
    /// A file or a data set that is not what it should be.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A model that could not be saved or loaded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A drawing that could not be saved.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A data set that does not fit the model.
    #[error(transparent)]
    Mismatch(#[from] MismatchError),
    /// A schedule that does not fit the training.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// An optimizer that does not fit the model.
    #[error(transparent)]
    Optimizer(#[from] OptimizerError),
    /// A loss surface that could not be measured.
    #[error(transparent)]
    Flatness(#[from] FlatnessError),
    /// A diagnosis that could not be made.
    #[error(transparent)]
    Diagnose(#[from] DiagnoseError),
    /// A file of the program's own, such as a picture that it writes.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Several processes that could not begin or go on together.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// A training that stopped.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A checkpoint that could not be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A report that could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Weights from elsewhere that are not those of the model.
    #[cfg(feature = "weights")]
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightsError),
}

/// The model of the failure is dropped; match on the [`TrainFailure`] to keep it.
impl<M> From<TrainFailure<M>> for Error {
    fn from(failure: TrainFailure<M>) -> Self {
        Error::Train(failure.error)
    }
}

/// A result with any error of Kiln.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;
