//! Losses of values against values.

use burn::nn::loss::{MseLoss, Reduction};
use burn::tensor::Tensor;

use crate::tangent::Dual;

/// The mean squared error over the batch and all its numbers:
/// `(1/n) sum_i (output_i - target_i)^2`, as PyTorch's `MSELoss`. Both of one shape, `[batch, ..]`.
pub fn mse<const D: usize>(output: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    MseLoss::new().forward(output, target, Reduction::Mean)
}

/// [`mse`] with its derivative along a direction.
pub fn mse_dual<const D: usize>(output: Dual<D>, target: Tensor<D>) -> Dual<1> {
    (output - Dual::constant(target)).square().mean()
}

/// The mean absolute error over the batch and all its numbers:
/// `(1/n) sum_i |output_i - target_i|`, as PyTorch's `L1Loss`. Both of one shape, `[batch, ..]`.
pub fn l1<const D: usize>(output: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    l1_dual(Dual::constant(output), target).value
}

/// [`l1`] with its derivative along a direction.
pub fn l1_dual<const D: usize>(output: Dual<D>, target: Tensor<D>) -> Dual<1> {
    (output - Dual::constant(target)).abs().mean()
}

/// The mean of `r²/2` where `r = |output_i - target_i|` is at most `delta`, and of
/// `delta (r - delta/2)` beyond (Huber 1964), as PyTorch's `HuberLoss`. Both of one shape,
/// `[batch, ..]`; `delta` is above 0.
pub fn huber<const D: usize>(output: Tensor<D>, target: Tensor<D>, delta: f64) -> Tensor<1> {
    huber_dual(Dual::constant(output), target, delta).value
}

/// [`huber`] with its derivative along a direction.
pub fn huber_dual<const D: usize>(output: Dual<D>, target: Tensor<D>, delta: f64) -> Dual<1> {
    let error = (output - Dual::constant(target)).abs();
    // Both cases in one.
    let near = error.clone().clamp_max(delta);
    (near.clone() * (error - near * 0.5)).mean()
}

/// The mean of `r²/(2 beta)` where `r = |output_i - target_i|` is at most `beta`, and of
/// `r - beta/2` beyond (Girshick 2015), as PyTorch's `SmoothL1Loss`: [`huber`] divided by `beta`. Both
/// of one shape, `[batch, ..]`; `beta` is above 0.
pub fn smooth_l1<const D: usize>(output: Tensor<D>, target: Tensor<D>, beta: f64) -> Tensor<1> {
    smooth_l1_dual(Dual::constant(output), target, beta).value
}

/// [`smooth_l1`] with its derivative along a direction.
pub fn smooth_l1_dual<const D: usize>(output: Dual<D>, target: Tensor<D>, beta: f64) -> Dual<1> {
    huber_dual(output, target, beta) / beta
}

/// The mean negative logarithm of the density of values under normal distributions,
/// `(log v + (mean_i - target_i)² / v) / 2` with `v = variance_i`, at least `epsilon`, over the batch and
/// all its numbers (Nix and Weigend 1994); with `full` also its constant, `log(2π)/2`. As PyTorch's
/// `GaussianNLLLoss`. All of one shape, `[batch, ..]`.
pub fn gaussian_nll<const D: usize>(
    mean: Tensor<D>,
    variance: Tensor<D>,
    target: Tensor<D>,
    full: bool,
    epsilon: f64,
) -> Tensor<1> {
    let [mean, variance] = [mean, variance].map(Dual::constant);
    gaussian_nll_dual(mean, variance, target, full, epsilon).value
}

/// [`gaussian_nll`] with its derivative along a direction.
pub fn gaussian_nll_dual<const D: usize>(
    mean: Dual<D>,
    variance: Dual<D>,
    target: Tensor<D>,
    full: bool,
    epsilon: f64,
) -> Dual<1> {
    // As in PyTorch, what is too small is raised, but its gradient flows.
    let known = variance.value.clone().detach();
    let raised = known.clone().clamp_min(epsilon) - known;
    let variance = variance + Dual::constant(raised);
    let squares = (mean - Dual::constant(target)).square();
    let loss = (variance.clone().log() + squares / variance) * 0.5;
    let constant = if full {
        0.5 * std::f64::consts::TAU.ln()
    } else {
        0.0
    };
    loss.mean() + constant
}

/// The mean negative logarithm of the probability of counts under Poisson distributions, as PyTorch's
/// `PoissonNLLLoss`: of `exp(output_i) - target_i output_i` where `log_input`, the output being the
/// logarithm of the expected count, else of `output_i - target_i log(output_i + epsilon)`. With `full`
/// also Stirling's approximation of the rest, `t log t - t + log(2πt)/2` for targets `t` above 1.
///
/// Both of one shape, `[batch, ..]`; targets are at least 0, and so are outputs without
/// `log_input`.
pub fn poisson_nll<const D: usize>(
    output: Tensor<D>,
    target: Tensor<D>,
    log_input: bool,
    full: bool,
    epsilon: f64,
) -> Tensor<1> {
    poisson_nll_dual(Dual::constant(output), target, log_input, full, epsilon).value
}

/// [`poisson_nll`] with its derivative along a direction.
pub fn poisson_nll_dual<const D: usize>(
    output: Dual<D>,
    target: Tensor<D>,
    log_input: bool,
    full: bool,
    epsilon: f64,
) -> Dual<1> {
    let counts = Dual::constant(target.clone());
    let loss = if log_input {
        output.clone().exp() - counts * output
    } else {
        output.clone() - counts * (output + epsilon).log()
    };
    if !full {
        return loss.mean();
    }
    let few = target.clone().lower_equal_scalar(1.0);
    let constant = 0.5 * std::f64::consts::TAU.ln();
    let rest = (target.clone() + 0.5) * target.clone().log() - target + constant;
    (loss + Dual::constant(rest.mask_fill(few, 0.0))).mean()
}
