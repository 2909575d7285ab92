//! How flat the minimum is: products with the Hessian and what follows from them.

mod error;
mod figures;
mod filters;
mod gradient_noise;
mod gradient_spread;
mod newton;
mod objective;
mod operator;
mod random;
mod report;
mod sharpness;
mod spectrum;
mod surface;
mod volume;
mod watch;

pub use self::error::FlatnessError;
pub use self::figures::{gradient_norm, top_eigenvalue, trace};
pub use self::gradient_noise::{GradientNoise, NoiseScale};
pub use self::gradient_spread::{BatchSpread, GradientSpread, Spread};
pub use self::newton::{CurvatureMatrix, Ending, Minimum, NewtonCg, NewtonIteration, newton_step};
pub use self::objective::{Curvature, Objective, ParameterSlice};
pub use self::operator::{Approximation, Matrix, Operator};
pub use self::report::{Figure, Flatness, FlatnessOptions, Missing};
pub use self::sharpness::{
    AsamSharpness, BallSharpness, GaussianEstimate, GaussianSharpness, Keskar, KeskarSharpness,
    Maximiser, Maximum, SamSharpness,
};
pub use self::spectrum::{
    ConditionNumber, CriticalPoint, Density, Diagonal, DiagonalEstimate, Eigenpair, Lanczos,
    Quadrature, SpectralDensity, Spectrum, Trace, TraceEstimate,
};
pub use self::surface::{FilterNormalisation, Plane, Profile, Slice, Surface, Trajectory};
pub use self::volume::{BasinVolume, Volume};
pub use self::watch::Watch;

pub(crate) use self::operator::{brought, lengths};
pub(crate) use self::random::Random;
