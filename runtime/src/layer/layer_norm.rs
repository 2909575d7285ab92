//! Layer normalisation.

use std::ops::{Deref, DerefMut};

use burn::config::Config;
use burn::nn;
use burn::tensor::{DType, Device, Tensor};

use super::linear::optional;
use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent};

/// Burn's [`LayerNorm`](nn::LayerNorm), computed by [`kernel::layer_norm`].
#[derive(Clone, Debug)]
pub struct LayerNorm {
    inner: nn::LayerNorm,
    /// Burn's layer has it too, but shows it to nobody.
    epsilon: f64,
}

crate::__impl_module!(LayerNorm { inner: [] [], } keep { epsilon });

/// The settings of a [`LayerNorm`], which are Burn's.
#[derive(Config, Debug)]
pub struct LayerNormConfig {
    /// Width of the last dimension, over which is normalised.
    pub d_model: usize,
    /// Added to the variance.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether there is a beta.
    #[config(default = true)]
    pub bias: bool,
}

impl LayerNormConfig {
    /// The layer, with a gamma of 1 and a beta of 0.
    pub fn init(&self, device: &Device) -> LayerNorm {
        let inner = nn::LayerNormConfig::new(self.d_model)
            .with_epsilon(self.epsilon)
            .with_bias(self.bias);
        LayerNorm {
            inner: inner.init(device),
            epsilon: self.epsilon,
        }
    }
}

impl LayerNorm {
    /// `[.., width]` to `[.., width]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let gamma = self.gamma.val();
        // Burn's layer widens half precision, and says what is wrong with a shape.
        if input.dtype() != DType::F32 || input.dims()[D - 1] != gamma.dims()[0] {
            return self.inner.forward(input);
        }
        let beta = self.beta.as_ref().map(|beta| beta.val());
        kernel::layer_norm(input, gamma, beta, self.epsilon)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for LayerNorm {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        if along.is_none() && input.tangent.is_none() {
            return Dual::constant(self.forward(input.value));
        }
        let gamma = Dual::parameter(&self.gamma, along.map(|along| &along.gamma));
        let beta = along.and_then(|along| along.beta.as_ref());
        let scaled = input.normal(self.epsilon) * gamma.linear(|x| x.unsqueeze());
        match optional(self.beta.as_ref(), beta) {
            Some(beta) => scaled + beta.linear(|x| x.unsqueeze()),
            None => scaled,
        }
    }
}

impl Deref for LayerNorm {
    type Target = nn::LayerNorm;

    fn deref(&self) -> &nn::LayerNorm {
        &self.inner
    }
}

impl DerefMut for LayerNorm {
    fn deref_mut(&mut self) -> &mut nn::LayerNorm {
        &mut self.inner
    }
}
