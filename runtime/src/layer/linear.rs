//! The linear layer.

use burn::module::Param;
use burn::nn;
use burn::tensor::Tensor;

use super::wrapped::wrapped;
use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent, sum};

/// Burn's [`Linear`](nn::Linear), computed by [`kernel::linear`].
#[derive(Clone, Debug)]
pub struct Linear {
    inner: nn::Linear,
}

wrapped!(Linear: nn::Linear);

impl Linear {
    /// `[.., inputs]` to `[.., outputs]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val();
        if input.dims()[D - 1] != weight.dims()[0] {
            return self.inner.forward(input); // Burn says what is wrong.
        }
        let bias = self.bias.as_ref().map(|bias| bias.val());
        kernel::linear(input, weight, bias)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for Linear {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let weight = Dual::parameter(&self.weight, along.map(|along| &along.weight));
        let bias = along.and_then(|along| along.bias.as_ref());
        linear(input, weight, optional(self.bias.as_ref(), bias))
    }
}

/// `y' = x' W + x W_v + b_v`. The bias changes only where the weight does.
pub(super) fn linear<const D: usize>(
    input: Dual<D>,
    weight: Dual<2>,
    bias: Option<Dual<1>>,
) -> Dual<D> {
    let (bias, bias_along) = match bias {
        Some(bias) => (Some(bias.value), bias.tangent),
        None => (None, None),
    };
    let from_input = input
        .tangent
        .map(|tangent| kernel::linear(tangent, weight.value.clone(), None));
    let from_weight = weight
        .tangent
        .map(|along| kernel::linear(input.value.clone(), along, bias_along));
    Dual {
        value: kernel::linear(input.value, weight.value, bias),
        tangent: sum(from_input, from_weight),
    }
}

/// A parameter that a layer may have or not.
pub(super) fn optional<const D: usize>(
    parameter: Option<&Param<Tensor<D>>>,
    along: Option<&Param<Tensor<D>>>,
) -> Option<Dual<D>> {
    parameter.map(|parameter| Dual::parameter(parameter, along))
}
