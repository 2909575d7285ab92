//! What tells the elements of a sequence their places: a learned table, and Vaswani et al.'s waves.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor, TensorData};

use super::kept::Kept;
use crate::tangent::{Dual, Pass, Tangent, value_of};

/// Adds to each element of a sequence the learned row of its place (Gehring et al. 2017).
#[derive(Module, Debug)]
pub struct PositionEmbedding {
    /// `[max_length, dim]`, as that of PyTorch's `nn.Embedding`.
    pub weight: Param<Tensor<2>>,
}

/// The settings of a [`PositionEmbedding`].
#[derive(Config, Debug)]
pub struct PositionEmbeddingConfig {
    /// The length of the longest sequence.
    pub max_length: usize,
    /// The features of each element.
    pub dim: usize,
}

impl PositionEmbeddingConfig {
    /// The layer, its table drawn from N(0, 1), as PyTorch draws that of an `nn.Embedding`.
    pub fn init(&self, device: &Device) -> PositionEmbedding {
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        PositionEmbedding {
            weight: normal.init([self.max_length, self.dim], device),
        }
    }
}

impl PositionEmbedding {
    /// `[batch, length, dim]`; the shape stays.
    ///
    /// # Panics
    ///
    /// Where the sequence is longer than the table.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for PositionEmbedding {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, _: &mut Pass) -> Dual<3> {
        let [_, length, _] = input.dims();
        let table = Dual::parameter(&self.weight, along.map(|along| &along.weight));
        let [max_length, _] = table.dims();
        assert!(
            length <= max_length,
            "a sequence of length {length} has no place in a table of {max_length} positions; \
             raise `max_length`, or shorten the sequence"
        );
        input + table.narrow(0, 0, length).linear(|x| x.unsqueeze())
    }
}

/// Adds waves to a sequence, from which each element can tell its place (Vaswani et al. 2017):
/// `sin(p / base^(2i/dim))` to feature `2i` of the element at place `p`, and the cosine to feature
/// `2i + 1`.
#[derive(Module, Debug)]
pub struct SinusoidalPositions {
    #[module(skip)]
    waves: Waves,
}

/// The settings of [`SinusoidalPositions`].
#[derive(Config, Debug)]
pub struct SinusoidalPositionsConfig {
    /// What the wavelengths grow to, divided by 2π.
    #[config(default = 10000.0)]
    pub base: f64,
}

impl SinusoidalPositionsConfig {
    /// The layer, which has no parameters.
    pub fn init(&self) -> SinusoidalPositions {
        SinusoidalPositions {
            waves: Waves::new(self.base),
        }
    }
}

impl SinusoidalPositions {
    /// `[batch, length, dim]`; the shape stays.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [_, length, dim] = input.dims();
        let [cosines, sines] = self.waves.of([length, dim], &input.device());
        let table = Tensor::stack::<3>(vec![sines, cosines], 2).flatten::<2>(1, 2);
        input + table.narrow(1, 0, dim).unsqueeze()
    }
}

impl Tangent<Dual<3>, Dual<3>> for SinusoidalPositions {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<3>, _: &mut Pass) -> Dual<3> {
        Dual {
            value: self.forward(input.value),
            tangent: input.tangent,
        }
    }
}

/// `[length, ceil(dim / 2)]` cosines, and as many sines, of `p / base^(2i/dim)`.
#[derive(Clone, Debug)]
pub(super) struct Waves {
    base: f64,
    kept: Kept<[Tensor<2>; 2]>,
}

impl Waves {
    pub fn new(base: f64) -> Self {
        Waves {
            base,
            kept: Kept::new(),
        }
    }

    /// The angles are worked out in double precision: in single precision those of a place in the
    /// thousands are off by 1e-4.
    pub fn of(&self, [length, dim]: [usize; 2], device: &Device) -> [Tensor<2>; 2] {
        self.kept.of([length, dim], device, |device| {
            let pairs = dim.div_ceil(2);
            let frequencies: Vec<f64> = (0..pairs)
                .map(|pair| self.base.powf(-2.0 * pair as f64 / dim as f64))
                .collect();
            [f64::cos, f64::sin].map(|wave: fn(f64) -> f64| {
                let values = (0..length).flat_map(|place| {
                    let at = frequencies.iter().map(move |f| wave(place as f64 * f));
                    at.map(|value| value as f32)
                });
                let data = TensorData::new(values.collect::<Vec<f32>>(), [length, pairs]);
                Tensor::from_data(data, device)
            })
        })
    }
}
