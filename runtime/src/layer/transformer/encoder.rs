//! The transformer's encoder.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};

use super::{Activation, Parts, between};
use crate::layer::{LayerNorm, Linear, MultiHeadAttention, MultiHeadAttentionConfig};
use crate::tangent::{Dual, Pass, Tangent, part, value_of};

/// The encoder of a transformer (Vaswani et al. 2017), PyTorch's `nn.TransformerEncoder` of
/// `nn.TransformerEncoderLayer`s with `batch_first=True`.
#[derive(Module, Debug)]
pub struct TransformerEncoder {
    /// The layers, `layers.0` first.
    pub layers: Vec<TransformerEncoderLayer>,
    /// The norm behind them.
    pub norm: Option<LayerNorm>,
}

/// A layer of a [`TransformerEncoder`]: attention to itself, and two dense layers, each with a
/// shortcut around it.
#[derive(Module, Debug)]
pub struct TransformerEncoderLayer {
    /// The attention.
    pub self_attn: MultiHeadAttention,
    /// The first dense layer.
    pub linear1: Linear,
    /// The second dense layer.
    pub linear2: Linear,
    /// The attention's norm.
    pub norm1: LayerNorm,
    /// The dense layers' norm.
    pub norm2: LayerNorm,
    dropout: Dropout,
    norm_first: bool,
    #[module(skip)]
    activation: Activation,
}

/// The settings of a [`TransformerEncoder`]; the defaults are PyTorch's.
#[derive(Config, Debug)]
pub struct TransformerEncoderConfig {
    /// The features of each element; a multiple of `heads`.
    pub dim: usize,
    /// How many heads each attention has.
    pub heads: usize,
    /// How many layers there are, above each other.
    pub layers: usize,
    /// The features between the two dense layers of each layer.
    #[config(default = 2048)]
    pub feedforward: usize,
    /// The share of numbers that is zeroed in training: of the attention's weights, and behind each
    /// part.
    #[config(default = 0.1)]
    pub dropout: f64,
    /// What is applied between the two dense layers.
    #[config(default = "Activation::Relu")]
    pub activation: Activation,
    /// Whether a norm comes before each part, instead of behind the sum with the part's input
    /// (Xiong et al. 2020).
    #[config(default = false)]
    pub norm_first: bool,
    /// Whether an element sees itself and those before it alone.
    #[config(default = false)]
    pub causal: bool,
    /// Whether there is one more norm behind all layers, `norm`.
    #[config(default = false)]
    pub norm: bool,
    /// Added to the variance in each norm.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether linear maps and norms have biases.
    #[config(default = true)]
    pub bias: bool,
}

impl TransformerEncoderConfig {
    /// The encoder, each layer drawn as its parts are.
    ///
    /// # Panics
    ///
    /// Where `heads` does not divide `dim`, or `dropout` is not in [0, 1).
    pub fn init(&self, device: &Device) -> TransformerEncoder {
        let parts = Parts {
            dim: self.dim,
            epsilon: self.epsilon,
            bias: self.bias,
            device,
        };
        let attention = MultiHeadAttentionConfig::new(self.dim, self.heads)
            .with_causal(self.causal)
            .with_bias(self.bias)
            .with_dropout(self.dropout);
        let layer = || TransformerEncoderLayer {
            self_attn: attention.init(device),
            linear1: parts.dense(self.dim, self.feedforward),
            linear2: parts.dense(self.feedforward, self.dim),
            norm1: parts.norm(),
            norm2: parts.norm(),
            dropout: DropoutConfig::new(self.dropout).init(),
            norm_first: self.norm_first,
            activation: self.activation,
        };
        TransformerEncoder {
            layers: (0..self.layers).map(|_| layer()).collect(),
            norm: self.norm.then(|| parts.norm()),
        }
    }
}

impl TransformerEncoder {
    /// `[batch, length, dim]`; the shape stays.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for TransformerEncoder {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, pass: &mut Pass) -> Dual<3> {
        let layers = self.layers.iter().enumerate();
        let output = layers.fold(input, |x, (index, layer)| {
            let along = along.map(|along| &along.layers[index]);
            layer.forward_dual(along, x, pass)
        });
        match &self.norm {
            Some(norm) => {
                let along = along.and_then(|along| along.norm.as_ref());
                norm.forward_dual(along, output, pass)
            }
            None => output,
        }
    }
}

impl TransformerEncoderLayer {
    /// `[batch, length, dim]`; the shape stays.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for TransformerEncoderLayer {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, pass: &mut Pass) -> Dual<3> {
        let attend = |x: Dual<3>, pass: &mut Pass| {
            let x = part!(self.self_attn, along, x, pass);
            self.dropout.forward_dual(None, x, pass)
        };
        let dense = |x: Dual<3>, pass: &mut Pass| {
            let x = part!(self.linear1, along, x, pass);
            let x = between(x, self.activation, &self.dropout, pass);
            let x = part!(self.linear2, along, x, pass);
            self.dropout.forward_dual(None, x, pass)
        };
        if self.norm_first {
            let normal = part!(self.norm1, along, input.clone(), pass);
            let x = input + attend(normal, pass);
            let normal = part!(self.norm2, along, x.clone(), pass);
            x + dense(normal, pass)
        } else {
            let x = input.clone() + attend(input, pass);
            let x = part!(self.norm1, along, x, pass);
            let x = x.clone() + dense(x, pass);
            part!(self.norm2, along, x, pass)
        }
    }
}
