//! The linear layer.

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

/// `y' = x' W + x W_v + b_v`
impl<const D: usize> Tangent<Dual<D>, Dual<D>> for Linear {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let weight = self.weight.val();
        let from_input = input
            .tangent
            .map(|tangent| kernel::linear(tangent, weight, None));
        let from_weight = along.map(|along| {
            let bias = along.bias.as_ref().map(|bias| bias.val());
            kernel::linear(input.value.clone(), along.weight.val(), bias)
        });
        Dual {
            value: self.forward(input.value),
            tangent: sum(from_input, from_weight),
        }
    }
}
