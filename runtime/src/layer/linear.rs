//! The linear layer.

use burn::nn;
use burn::tensor::Tensor;

use super::wrapped::wrapped;
use crate::kernel;

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
