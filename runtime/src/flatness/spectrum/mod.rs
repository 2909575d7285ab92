//! Eigenvalues, traces, diagonals and densities of matrices known by their products.

mod basis;
mod density;
mod diagonal;
mod eigenpairs;
mod lanczos;
mod plot;
mod probes;
mod recurrence;
mod trace;

pub use self::density::{Density, Quadrature, SpectralDensity};
pub use self::diagonal::{Diagonal, DiagonalEstimate};
pub use self::eigenpairs::{ConditionNumber, CriticalPoint, Eigenpair, Spectrum};
pub use self::lanczos::Lanczos;
pub use self::trace::{Trace, TraceEstimate};

pub(super) use self::basis::dot;
pub(crate) use self::basis::norm;
pub(super) use self::probes::Mean;
pub(super) use self::recurrence::{epsilon, precision};
