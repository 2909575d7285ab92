//! Losses of a target that is 1 or -1: alike or unlike, one side or the other.

use burn::tensor::Tensor;

use crate::tangent::Dual;

/// The mean over the batch of `1 - cos(left_i, right_i)` where `target_i` is 1, of
/// `max(0, cos(left_i, right_i) - margin)` where it is -1, as PyTorch's `CosineEmbeddingLoss`, which adds
/// 1e-12 to both squared lengths.
///
/// `left`, `right`: `[batch, n]`; `target`: `[batch]`; `margin` between -1 and 1.
pub fn cosine_embedding(
    left: Tensor<2>,
    right: Tensor<2>,
    target: Tensor<1>,
    margin: f64,
) -> Tensor<1> {
    let [left, right] = [left, right].map(Dual::constant);
    cosine_embedding_dual(left, right, target, margin).value
}

/// [`cosine_embedding`] with its derivative along a direction.
pub fn cosine_embedding_dual(
    left: Dual<2>,
    right: Dual<2>,
    target: Tensor<1>,
    margin: f64,
) -> Dual<1> {
    let dot = |a: &Dual<2>, b: &Dual<2>| {
        let products = a.clone() * b.clone();
        products.sum_dim(1).linear(|x| x.squeeze_dim::<1>(1))
    };
    let lengths = (dot(&left, &left) + 1e-12) * (dot(&right, &right) + 1e-12);
    let cosine = dot(&left, &right) / lengths.sqrt();
    let unlike = (cosine.clone() - margin).clamp_min(0.0);
    let alike = target.greater_scalar(0.0);
    unlike.mask_where(alike, -cosine + 1.0).mean()
}

/// The mean over the batch and all its numbers of `output_i`, a distance, where `target_i` is 1, of
/// `max(0, margin - output_i)` where it is -1, as PyTorch's `HingeEmbeddingLoss`. Both of one shape,
/// `[batch, ..]`.
pub fn hinge_embedding<const D: usize>(
    output: Tensor<D>,
    target: Tensor<D>,
    margin: f64,
) -> Tensor<1> {
    hinge_embedding_dual(Dual::constant(output), target, margin).value
}

/// [`hinge_embedding`] with its derivative along a direction.
pub fn hinge_embedding_dual<const D: usize>(
    output: Dual<D>,
    target: Tensor<D>,
    margin: f64,
) -> Dual<1> {
    let unlike = (-output.clone() + margin).clamp_min(0.0);
    unlike.mask_where(target.equal_scalar(1), output).mean()
}

/// The mean of `max(0, margin - target_i (left_i - right_i))` over the batch and all its numbers: the
/// left one is to be larger by `margin` where the target is 1, smaller where it is -1. As PyTorch's
/// `MarginRankingLoss`. All of one shape, `[batch, ..]`.
pub fn margin_ranking<const D: usize>(
    left: Tensor<D>,
    right: Tensor<D>,
    target: Tensor<D>,
    margin: f64,
) -> Tensor<1> {
    let [left, right] = [left, right].map(Dual::constant);
    margin_ranking_dual(left, right, target, margin).value
}

/// [`margin_ranking`] with its derivative along a direction.
pub fn margin_ranking_dual<const D: usize>(
    left: Dual<D>,
    right: Dual<D>,
    target: Tensor<D>,
    margin: f64,
) -> Dual<1> {
    let behind = Dual::constant(target) * (right - left) + margin;
    behind.clamp_min(0.0).mean()
}

/// The mean of `log(1 + exp(-target_i output_i))` over the batch and all its numbers, the logistic
/// loss of a target that is 1 or -1, as PyTorch's `SoftMarginLoss`. Both of one shape, `[batch, ..]`.
pub fn soft_margin<const D: usize>(output: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    soft_margin_dual(Dual::constant(output), target).value
}

/// [`soft_margin`] with its derivative along a direction.
pub fn soft_margin_dual<const D: usize>(output: Dual<D>, target: Tensor<D>) -> Dual<1> {
    (-(Dual::constant(target) * output)).softplus().mean()
}
