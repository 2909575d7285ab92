//! A character transformer.
#![allow(
    clippy::useless_conversion,
    reason = "where the layer is Burn's own, there is nothing to convert"
)]

use super::layers::{
    Embedding, EmbeddingConfig, Gelu, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    causal_attention,
};
use kiln::burn;
use kiln::burn::module::Module;
use kiln::{Device, Int, Tensor};

/// A decoder that predicts the next character: 65 characters, sequences of 128, four pre-norm
/// blocks of width 128 with four heads and a hidden layer of 512, learned positions
/// ([Radford et al. 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf),
/// made small).
#[derive(Module, Debug)]
pub struct Transformer {
    characters: Embedding,
    positions: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Transformer {
    /// How many different characters there are.
    pub const VOCABULARY: usize = 65;
    /// The length of a sequence.
    pub const LENGTH: usize = 128;
    const WIDTH: usize = 128;
    const HEADS: usize = 4;
    const BLOCKS: usize = 4;

    /// Draws the weights.
    pub fn new(device: &Device) -> Self {
        let blocks = (0..Self::BLOCKS).map(|_| Block::new(device));
        Transformer {
            characters: EmbeddingConfig::new(Self::VOCABULARY, Self::WIDTH).init(device),
            positions: EmbeddingConfig::new(Self::LENGTH, Self::WIDTH).init(device),
            blocks: blocks.collect(),
            norm: norm(device),
            head: linear(Self::WIDTH, Self::VOCABULARY, device),
        }
    }

    /// `[batch, length]` to `[batch * length, vocabulary]`.
    pub fn forward(&self, characters: Tensor<2, Int>) -> Tensor<2> {
        let [_, length] = characters.dims();
        let positions = Tensor::arange(0..length as i64, &characters.device()).unsqueeze();
        let mut x = self.characters.forward(characters) + self.positions.forward(positions);
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head.forward(self.norm.forward(x)).flatten(0, 1)
    }
}

/// Attention, and two dense layers, each with a norm before and a shortcut around it.
#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    queries_keys_values: Linear,
    mix: Linear,
    norm2: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Block {
    fn new(device: &Device) -> Self {
        let width = Transformer::WIDTH;
        Block {
            norm1: norm(device),
            queries_keys_values: linear(width, 3 * width, device),
            mix: linear(width, width, device),
            norm2: norm(device),
            widen: linear(width, 4 * width, device),
            narrow: linear(4 * width, width, device),
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let x = input.clone() + self.attend(self.norm1.forward(input));
        let hidden = Gelu::new().forward(self.widen.forward(self.norm2.forward(x.clone())));
        x + self.narrow.forward(hidden)
    }

    fn attend(&self, input: Tensor<3>) -> Tensor<3> {
        let [batch, length, width] = input.dims();
        let heads = Transformer::HEADS;
        let x = self.queries_keys_values.forward(input);
        let x = x.reshape([batch, length, 3, heads, width / heads]);
        let x = x.permute([2, 0, 3, 1, 4]);
        let part = |i| x.clone().narrow(0, i, 1).squeeze_dim(0);
        let x = causal_attention(part(0), part(1), part(2));
        self.mix.forward(x.swap_dims(1, 2).flatten(2, 3))
    }
}

fn linear(from: usize, to: usize, device: &Device) -> Linear {
    LinearConfig::new(from, to).init(device).into()
}

fn norm(device: &Device) -> LayerNorm {
    LayerNormConfig::new(Transformer::WIDTH).init(device).into()
}
