//! Single numbers of a loss surface, for a training to
//! [measure](crate::train::Trainer::measure) on its way.

use super::{FlatnessError, Lanczos, Objective, Trace};

/// The norm `|∇L(w)|` of the gradient.
///
/// # Errors
///
/// Those of [`Objective::gradient`].
pub fn gradient_norm(objective: &Objective<'_>) -> Result<f64, FlatnessError> {
    let gradient = objective.gradient()?;
    Ok(gradient.square().sum().into_scalar::<f64>().sqrt())
}

/// The largest eigenvalue of the Hessian, as [`Lanczos::new`] finds it.
///
/// # Errors
///
/// Those of [`Lanczos::run`].
pub fn top_eigenvalue(objective: &Objective<'_>) -> Result<f64, FlatnessError> {
    let spectrum = Lanczos::new().run(&objective.hessian())?;
    let top = spectrum.top.first().map(|pair| pair.value);
    top.ok_or(FlatnessError::Interrupted)
}

/// The trace of the Hessian, as [`Trace::hutchinson`] estimates it.
///
/// # Errors
///
/// Those of [`Trace::run`].
pub fn trace(objective: &Objective<'_>) -> Result<f64, FlatnessError> {
    Ok(Trace::hutchinson().run(&objective.hessian())?.trace)
}
