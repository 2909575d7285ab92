//! Layer normalisation.

use std::ops::{Deref, DerefMut};

use burn::nn;
use burn::nn::LayerNormConfig;
use burn::tensor::{Device, Tensor};

use crate::kernel;

/// Burn's [`LayerNorm`](nn::LayerNorm), computed by [`kernel::layer_norm`].
#[derive(Clone, Debug)]
pub struct LayerNorm {
    inner: nn::LayerNorm,
    /// Burn's layer has it too, but shows it to nobody.
    epsilon: f64,
}

crate::__impl_module!(LayerNorm { inner: [] [], } keep { epsilon });

impl LayerNorm {
    /// The layer of a configuration.
    pub fn new(config: &LayerNormConfig, device: &Device) -> Self {
        LayerNorm {
            inner: config.init(device),
            epsilon: config.epsilon,
        }
    }

    /// `[.., width]` to `[.., width]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let beta = self.beta.as_ref().map(|beta| beta.val());
        kernel::layer_norm(input, self.gamma.val(), beta, self.epsilon)
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
