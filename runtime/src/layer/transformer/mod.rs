//! The transformer's encoder and decoder, with PyTorch's parameters, settings and initialisation.

mod decoder;
mod encoder;

pub use decoder::{TransformerDecoder, TransformerDecoderConfig, TransformerDecoderLayer};
pub use encoder::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderLayer};

use burn::config::Config;
use burn::nn::{Dropout, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::{LayerNorm, LayerNormConfig, Linear};
use crate::kernel;

/// What is applied between the two dense layers of a transformer's layer.
#[derive(Config, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x Φ(x)`, see [`Gelu`](super::Gelu).
    Gelu,
}

/// What norms and dense layers of a transformer have in common.
struct Parts<'a> {
    dim: usize,
    epsilon: f64,
    bias: bool,
    device: &'a Device,
}

impl Parts<'_> {
    fn norm(&self) -> LayerNorm {
        LayerNormConfig::new(self.dim)
            .with_epsilon(self.epsilon)
            .with_bias(self.bias)
            .init(self.device)
    }

    fn dense(&self, inputs: usize, outputs: usize) -> Linear {
        let config = LinearConfig::new(inputs, outputs).with_bias(self.bias);
        config.init(self.device).into()
    }
}

/// The two dense layers, the activation and a dropout between them.
fn feed_forward(
    [first, second]: [&Linear; 2],
    activation: Activation,
    dropout: &Dropout,
    input: Tensor<3>,
) -> Tensor<3> {
    let hidden = first.forward(input);
    let hidden = match activation {
        Activation::Relu => kernel::relu(hidden),
        Activation::Gelu => kernel::gelu(hidden),
    };
    second.forward(dropout.forward(hidden))
}
