//! One error type for programs that only pass errors on.

use crate::data::DataError;
use crate::device::DeviceError;
use crate::model::{InitError, StoreError};

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
}

/// A result with any error of Kiln.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;
