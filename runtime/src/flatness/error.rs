//! What can stop a measurement.

use crate::data::DataError;
use crate::model::MismatchError;

/// Why a measurement of a loss surface failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlatnessError {
    /// A setting that cannot be.
    #[error("`{name}` is {expected}, found {found}")]
    Argument {
        /// The setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A vector of another length than the operator's.
    #[error("the operator acts on vectors of length {expected}, found one of length {found}")]
    Length {
        /// The operator's.
        expected: usize,
        /// The vector's.
        found: usize,
    },
    /// A product, a gradient or a loss that holds a NaN or an infinity.
    #[error(
        "{what} is not finite; a loss surface is measured where the loss is: look for bad values in \
         the weights or in the data"
    )]
    NonFinite {
        /// What is not finite.
        what: String,
    },
    /// A selection of parameters that selects none.
    #[error("{asked}; the model's trainable parameters are {known}")]
    NoParameters {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// A product that only a declared network has.
    #[error(
        "Gauss-Newton and Fisher products need the outputs of a network declared with `model!` or \
         `#[derive(Model)]`; a plain Burn module has products with its Hessian"
    )]
    Undeclared,
    /// A Newton step where the loss curves downwards.
    #[error(
        "the loss curves downwards along a direction, so that a Newton step leads to a saddle; use \
         `NewtonCg`, which does not follow it there"
    )]
    Indefinite,
    /// A Newton step that conjugate gradients did not come to.
    #[error(
        "no Newton step: after {products} products, {residual:.1e} of the gradient is left; the \
         loss falls for ever along a direction in which it hardly curves, or curves too little for \
         its precision; use `NewtonCg`, or double precision"
    )]
    Unsolved {
        /// What is left of the gradient: the norm of `∇L + Hp` over that of `∇L`.
        residual: f64,
        /// The products that it took.
        products: usize,
    },
    /// A figure that is not as exact as was asked for.
    #[error(
        "{figure} is {value:.3e} ± {error:.1e} after {products} products, not exact enough; {fix}"
    )]
    Inexact {
        /// What was measured.
        figure: &'static str,
        /// What it came to.
        value: f64,
        /// Its error.
        error: f64,
        /// The products that it took.
        products: usize,
        /// What to do.
        fix: &'static str,
    },
    /// An interruption before there was anything to give.
    #[error("interrupted before there was a first result")]
    Interrupted,
    /// A data set that does not fit the model.
    #[error(transparent)]
    Mismatch(#[from] MismatchError),
    /// An error of the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file that could not be written.
    #[error("`{path}` could not be written: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl FlatnessError {
    pub(crate) fn argument(
        name: &'static str,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        FlatnessError::Argument {
            name,
            found: found.to_string(),
            expected: expected.into(),
        }
    }
}

/// Refuses what is not positive and finite.
pub(super) fn positive(name: &'static str, value: f64) -> Result<(), FlatnessError> {
    match value > 0.0 && value.is_finite() {
        true => Ok(()),
        false => Err(FlatnessError::argument(name, value, "positive and finite")),
    }
}
