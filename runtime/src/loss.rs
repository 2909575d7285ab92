//! The losses: means over the batch, as tensors of one number that gradients flow through.

use burn::nn::loss::{MseLoss, Reduction};
use burn::tensor::{Int, Tensor};

use crate::kernel;

/// The mean cross entropy between scores and classes:
/// `-(1/B) sum_i sum_c q_ic log softmax(output_i)_c` with
/// `q_ic = (1 - label_smoothing) [c = target_i] + label_smoothing / classes`
/// (Szegedy et al. 2016), as in PyTorch.
///
/// `output`: `[batch, classes]`, scores before a softmax; `target`: `[batch]`, each below
/// `classes`; `label_smoothing` in `[0, 1)`.
///
/// ```
/// use kiln::{Tensor, Int};
/// # let device = kiln::device::default_device()?;
/// let output = Tensor::<2>::from_floats([[0.0, 0.0]], &device);
/// let target = Tensor::<1, Int>::from_ints([1], &device);
/// let loss: f32 = kiln::loss::cross_entropy(output, target, 0.0).into_scalar();
/// assert!((loss - 2f32.ln()).abs() < 1e-6);
/// # Ok::<(), kiln::Error>(())
/// ```
pub fn cross_entropy(output: Tensor<2>, target: Tensor<1, Int>, label_smoothing: f64) -> Tensor<1> {
    kernel::cross_entropy(output, target, label_smoothing)
}

/// How many of the scores have their largest entry at the target. `output`: `[batch, classes]`,
/// `target`: `[batch]`; the result: `[1]`.
pub fn correct(output: Tensor<2>, target: Tensor<1, Int>) -> Tensor<1, Int> {
    output
        .argmax(1)
        .squeeze_dim::<1>(1)
        .equal(target)
        .int()
        .sum()
}

/// The mean squared error over the batch and all its numbers:
/// `(1/n) sum_i (output_i - target_i)^2`. Both of one shape.
pub fn mse<const D: usize>(output: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    MseLoss::new().forward(output, target, Reduction::Mean)
}
