//! What can stop a diagnosis.

use std::error::Error;

use crate::data::DataError;
use crate::model::MismatchError;
use crate::train::TrainError;

/// Why there is no diagnosis.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiagnoseError {
    /// A number that cannot be.
    #[error("`{name}` is {expected}, found {found}")]
    Argument {
        /// What was given.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// Nothing to measure.
    #[error("there are no {what}: {fix}")]
    Empty {
        /// What there is none of.
        what: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// Lists that are to be as long as each other.
    #[error("{what}: expected {expected} numbers, one for each test point, found {found}")]
    Length {
        /// Which list.
        what: String,
        /// The length of the others.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// A number that is a NaN or an infinity.
    #[error(
        "{what} is {value} at test point {point}, counted from 0; a training that diverged has no \
         prediction: lower its learning rate, or leave it out"
    )]
    NonFinite {
        /// Which number.
        what: String,
        /// The test point.
        point: usize,
        /// The number.
        value: f64,
    },
    /// A layer that gives what is no number.
    #[error(
        "the outputs of `{layer}` at {path} are no numbers, so no unit can be judged: look for bad \
         values in the data, or train again at a lower learning rate"
    )]
    NotNumbers {
        /// The path of the first such layer.
        path: String,
        /// What it is, as it is declared.
        layer: String,
    },
    /// A training set on which the training failed.
    #[error("training on training set {repeat}, counted from 0, failed: {source}")]
    Repeat {
        /// Which one.
        repeat: usize,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A training that stopped, or could not begin.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A data set that does not fit the model.
    #[error(transparent)]
    Mismatch(#[from] MismatchError),
    /// An error of the data.
    #[error(transparent)]
    Data(#[from] DataError),
}
