//! Single numbers of a loss surface, for a training to
//! [measure](crate::train::Trainer::measure) on its way.

use super::{FlatnessError, Lanczos, Objective, Trace};

/// The most products of a figure.
const PRODUCTS: usize = 100;

/// The norm `|∇L(w)|` of the gradient.
///
/// # Errors
///
/// Those of [`Objective::gradient`].
pub fn gradient_norm(objective: &Objective<'_>) -> Result<f64, FlatnessError> {
    let gradient = objective.gradient()?;
    Ok(gradient.square().sum().into_scalar::<f64>().sqrt())
}

/// The largest eigenvalue of the Hessian, as [`Lanczos::new`] finds it to a hundredth in up to 100
/// products.
///
/// # Errors
///
/// Those of [`Lanczos::run`], and [`FlatnessError::Inexact`] where it takes more products or was
/// interrupted.
pub fn top_eigenvalue(objective: &Objective<'_>) -> Result<f64, FlatnessError> {
    let lanczos = Lanczos::new().tolerance(1e-2).products(PRODUCTS);
    let spectrum = lanczos.run(&objective.hessian())?;
    match spectrum.top.first() {
        Some(pair) if spectrum.complete => Ok(pair.value),
        _ if objective.watch().stopped() => Err(FlatnessError::Interrupted),
        Some(pair) => Err(FlatnessError::Inexact {
            figure: "the largest eigenvalue",
            value: pair.value,
            error: pair.residual,
            products: spectrum.products,
            fix: "measure with a `Lanczos` of more products or a larger tolerance",
        }),
        None => Err(FlatnessError::Interrupted),
    }
}

/// The trace of the Hessian, as [`Trace::hutchinson`] estimates it to a tenth in up to 100 products.
///
/// # Errors
///
/// Those of [`Trace::run`], and [`FlatnessError::Inexact`] where it takes more products, as for a
/// trace near zero, or was interrupted.
pub fn trace(objective: &Objective<'_>) -> Result<f64, FlatnessError> {
    let trace = Trace::hutchinson().tolerance(0.1).probes(10..=PRODUCTS);
    let estimate = trace.run(&objective.hessian())?;
    match estimate.complete {
        true => Ok(estimate.trace),
        false if objective.watch().stopped() => Err(FlatnessError::Interrupted),
        false => Err(FlatnessError::Inexact {
            figure: "the trace",
            value: estimate.trace,
            error: estimate.standard_error,
            products: estimate.products,
            fix: "measure with a `Trace` of more probes or a larger tolerance",
        }),
    }
}
