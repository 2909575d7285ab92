//! The transformer's encoder and decoder, with PyTorch's parameters, settings and initialisation.

mod decoder;
mod encoder;

pub use decoder::{TransformerDecoder, TransformerDecoderConfig, TransformerDecoderLayer};
pub use encoder::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderLayer};

use burn::config::Config;
use burn::nn::{Dropout, LinearConfig};
use burn::tensor::Device;

use super::{Gelu, LayerNorm, LayerNormConfig, Linear};
use crate::tangent::{Dual, Pass, Tangent};

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

/// The activation and the dropout between the two dense layers.
fn between(hidden: Dual<3>, activation: Activation, dropout: &Dropout, pass: &mut Pass) -> Dual<3> {
    let hidden = match activation {
        Activation::Relu => hidden.relu(),
        Activation::Gelu => Gelu::new().forward_dual(None, hidden, pass),
    };
    dropout.forward_dual(None, hidden, pass)
}
