//! Losses of probabilities against probabilities.

use burn::tensor::Tensor;

use crate::tangent::Dual;

/// The mean of `-(t log p + (1 - t) log(1 - p))` over the batch and all its numbers, with
/// `p = output_i`, a probability, and `t = target_i` in [0, 1]; a logarithm is at least -100. As
/// PyTorch's `BCELoss`. Both of one shape, `[batch, ..]`.
///
/// Behind a sigmoid [`binary_cross_entropy_with_logits`] is the better one: it takes the scores, and
/// learns from an output that is wrong beyond what a probability can say.
pub fn binary_cross_entropy<const D: usize>(output: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    // The derivative of the logarithm has no value at 0 and 1, where a sigmoid ends in single
    // precision. PyTorch's is bounded, and here it is the slope of a product whose value is 0.
    let p = output.clone().detach();
    let log = |p: Tensor<D>| p.log().clamp_min(-100.0);
    let other = -p.clone() + 1.0;
    let loss = target.clone() * log(p.clone()) + (-target.clone() + 1.0) * log(other.clone());
    let slope = slope(p.clone(), target);
    ((output - p) * slope - loss).mean()
}

/// [`binary_cross_entropy`] with its derivative along a direction.
pub fn binary_cross_entropy_dual<const D: usize>(output: Dual<D>, target: Tensor<D>) -> Dual<1> {
    let tangent = output.tangent.map(|tangent| {
        let slope = slope(output.value.clone(), target.clone());
        (tangent * slope).mean()
    });
    Dual {
        value: binary_cross_entropy(output.value, target),
        tangent,
    }
}

/// The derivative of the binary cross entropy by a probability.
fn slope<const D: usize>(p: Tensor<D>, target: Tensor<D>) -> Tensor<D> {
    let variance = p.clone() * (-p.clone() + 1.0);
    (p - target) / variance.clamp_min(1e-12)
}

/// The mean of `-(t log σ(x) + (1 - t) log(1 - σ(x)))` over the batch and all its numbers, with
/// `x = output_i`, a score before the sigmoid σ, and `t = target_i` in [0, 1]. As PyTorch's
/// `BCEWithLogitsLoss`. Both of one shape, `[batch, ..]`.
pub fn binary_cross_entropy_with_logits<const D: usize>(
    output: Tensor<D>,
    target: Tensor<D>,
) -> Tensor<1> {
    binary_cross_entropy_with_logits_dual(Dual::constant(output), target).value
}

/// [`binary_cross_entropy_with_logits`] with its derivative along a direction.
pub fn binary_cross_entropy_with_logits_dual<const D: usize>(
    output: Dual<D>,
    target: Tensor<D>,
) -> Dual<1> {
    let other = Dual::constant(-target + 1.0);
    (other * output.clone() - output.log_sigmoid()).mean()
}

/// The divergence of Kullback and Leibler (1951) of the output from the target, the mean over the
/// batch of the sum over an example's numbers of `t (log t - output_i)`, with `output_i` the logarithm
/// of a probability and `t = target_i` a probability, `0 log 0 = 0`. As PyTorch's `KLDivLoss` with
/// `reduction="batchmean"`, which is the mathematical one; its default divides by the number of numbers.
/// Both of one shape, `[batch, ..]`.
pub fn kl_divergence<const D: usize>(output: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    kl_divergence_dual(Dual::constant(output), target).value
}

/// [`kl_divergence`] with its derivative along a direction.
pub fn kl_divergence_dual<const D: usize>(output: Dual<D>, target: Tensor<D>) -> Dual<1> {
    let batch = output.dims()[0];
    let log = target.clone().clamp_min(f32::MIN_POSITIVE).log();
    (Dual::constant(target) * (Dual::constant(log) - output)).sum() / batch as f64
}
