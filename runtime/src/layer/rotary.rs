//! Rotary position embedding.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;

use super::positions::Waves;
use crate::tangent::linear_layers;

/// Turns each pair of features `(2i, 2i + 1)` of the element at place `p` by the angle
/// `p / base^(2i/dim)`, so that the product of two elements depends on their distance alone (Su et
/// al. 2021, "RoFormer").
///
/// Neighbouring features are a pair, as in the paper, Llama's reference code and torchtune; Hugging
/// Face pairs a feature with the one half the width further on.
#[derive(Module, Debug)]
pub struct RotaryEmbedding {
    #[module(skip)]
    waves: Waves,
}

/// The settings of a [`RotaryEmbedding`].
#[derive(Config, Debug)]
pub struct RotaryEmbeddingConfig {
    /// What the wavelengths grow to, divided by 2π.
    #[config(default = 10000.0)]
    pub base: f64,
}

impl RotaryEmbeddingConfig {
    /// The layer, which has no parameters.
    pub fn init(&self) -> RotaryEmbedding {
        RotaryEmbedding {
            waves: Waves::new(self.base),
        }
    }
}

impl RotaryEmbedding {
    /// `[batch, length, .., dim]` with an even `dim`; the shape stays.
    ///
    /// # Panics
    ///
    /// Where `dim` is odd, or there is no length.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let shape = input.dims();
        assert!(
            D > 2 && shape[D - 1].is_multiple_of(2),
            "rotary positions need [batch, length, .., dim] with an even dim, found {shape:?}"
        );
        turned(input, [shape[0], shape[1]], &self.waves)
    }
}

linear_layers!(RotaryEmbedding: D -> D [const D: usize]);

/// Turns the pairs of an input whose numbers lie as `[outer, length, .., dim]` do.
pub(super) fn turned<const D: usize>(
    input: Tensor<D>,
    [outer, length]: [usize; 2],
    waves: &Waves,
) -> Tensor<D> {
    let shape = input.dims();
    let dim = shape[D - 1];
    let pairs = dim / 2;
    let [cosines, sines] = waves
        .of([length, dim], &input.device())
        .map(|wave| wave.reshape([1, length, 1, pairs, 1]));
    let input = input.reshape([outer as i64, length as i64, -1, pairs as i64, 2]);
    let first = input.clone().narrow(4, 0, 1);
    let second = input.narrow(4, 1, 1);
    let parts = vec![
        first.clone() * cosines.clone() - second.clone() * sines.clone(),
        first * sines + second * cosines,
    ];
    Tensor::cat(parts, 4).reshape(shape)
}
