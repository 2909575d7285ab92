//! Losses of scores against classes.

use burn::tensor::{Int, Tensor};

use crate::kernel;
use crate::tangent::Dual;

/// The mean cross entropy between scores and classes:
/// `-(1/n) sum_i sum_c q_ic log softmax(output_i)_c` with
/// `q_ic = (1 - label_smoothing) [c = target_i] + label_smoothing / classes`
/// (Szegedy et al. 2016), as PyTorch's `CrossEntropyLoss`, but that the classes are the last dimension.
///
/// `output`: `[batch, .., classes]`, scores before a softmax; `target`: `[batch, ..]`, each below
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
///
/// # Panics
///
/// If the shapes do not fit each other, or there is no such class.
pub fn cross_entropy<const O: usize, const T: usize>(
    output: Tensor<O>,
    target: Tensor<T, Int>,
    label_smoothing: f64,
) -> Tensor<1> {
    let (output, target) = flat(output, target);
    kernel::cross_entropy(output, target, label_smoothing)
}

/// [`cross_entropy`] with its derivative along a direction,
/// `(1/n) sum_i sum_c (softmax(output_i)_c - q_ic) output'_ic`.
pub fn cross_entropy_dual<const O: usize, const T: usize>(
    output: Dual<O>,
    target: Tensor<T, Int>,
    label_smoothing: f64,
) -> Dual<1> {
    let (value, target) = flat(output.value, target);
    let tangent = output.tangent.map(|tangent| {
        let [_, classes] = value.dims();
        let tangent = tangent.reshape(value.dims());
        let right = tangent.clone().gather(1, target.clone().unsqueeze_dim(1));
        let mut change = (kernel::softmax(value.clone()) * tangent.clone()).sum_dim(1)
            - right * (1.0 - label_smoothing);
        if label_smoothing > 0.0 {
            change = change - tangent.sum_dim(1) * (label_smoothing / classes as f64);
        }
        change.mean()
    });
    Dual {
        value: kernel::cross_entropy(value, target, label_smoothing),
        tangent,
    }
}

/// How many of the targets have the largest score. `output`: `[batch, .., classes]`, `target`:
/// `[batch, ..]`; the result: `[1]`.
///
/// # Panics
///
/// If the shapes do not fit each other.
pub fn correct<const O: usize, const T: usize>(
    output: Tensor<O>,
    target: Tensor<T, Int>,
) -> Tensor<1, Int> {
    let (output, target) = flat(output, target);
    output
        .argmax(1)
        .squeeze_dim::<1>(1)
        .equal(target)
        .int()
        .sum()
}

/// The mean hinge loss of the scores of the other classes:
/// `(1/n) sum_i (1/classes) sum_(c ≠ target_i) max(0, margin - output_i,target_i + output_ic)^p`
/// (Crammer and Singer 2001, with the sum in place of the largest), as PyTorch's `MultiMarginLoss`,
/// but that the classes are the last dimension.
///
/// `output`: `[batch, .., classes]`; `target`: `[batch, ..]`, each below `classes`; `p` is 1 or 2.
///
/// # Panics
///
/// If `p` is another, `margin` is negative, the shapes do not fit each other, or there is no such
/// class.
pub fn multi_margin<const O: usize, const T: usize>(
    output: Tensor<O>,
    target: Tensor<T, Int>,
    p: usize,
    margin: f64,
) -> Tensor<1> {
    multi_margin_dual(Dual::constant(output), target, p, margin).value
}

/// [`multi_margin`] with its derivative along a direction.
pub fn multi_margin_dual<const O: usize, const T: usize>(
    output: Dual<O>,
    target: Tensor<T, Int>,
    p: usize,
    margin: f64,
) -> Dual<1> {
    assert!(
        matches!(p, 1 | 2) && margin >= 0.0,
        "`multi_margin` needs a `p` of 1 or 2 and a `margin` of at least 0, found {p} and {margin}"
    );
    let classes = output.dims()[O - 1];
    let target: Tensor<2, Int> = target.reshape([-1, 1]);
    let output = output.reshape([target.dims()[0], classes]);
    let right = output.clone().gather(1, target);
    let hinge = (output - right + margin).clamp_min(0.0);
    // The class itself is among them.
    let (sums, own) = match p {
        2 => (hinge.square().sum_dim(1), margin * margin),
        _ => (hinge.sum_dim(1), margin),
    };
    ((sums - own) / classes as f64).mean()
}

/// `[batch, .., classes]` and `[batch, ..]` as `[n, classes]` and `[n]`.
pub fn flat<const O: usize, const T: usize>(
    output: Tensor<O>,
    target: Tensor<T, Int>,
) -> (Tensor<2>, Tensor<1, Int>) {
    let classes = output.dims()[O - 1];
    let n = target.shape().num_elements();
    (output.reshape([n, classes]), target.reshape([n]))
}
