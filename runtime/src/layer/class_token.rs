//! A learned vector before a sequence.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::tangent::{Dual, Pass, Tangent, value_of};

/// Puts one learned vector before each sequence, whose output stands for all of it (Devlin et al.
/// 2019; Dosovitskiy et al. 2021).
#[derive(Module, Debug)]
pub struct ClassToken {
    /// `[1, 1, dim]`, as torchvision's and timm's.
    pub weight: Param<Tensor<3>>,
}

/// The settings of a [`ClassToken`].
#[derive(Config, Debug)]
pub struct ClassTokenConfig {
    /// The features of each element of the sequence.
    pub dim: usize,
}

impl ClassTokenConfig {
    /// The layer, with a vector of zeros.
    pub fn init(&self, device: &Device) -> ClassToken {
        ClassToken {
            weight: Initializer::Zeros.init([1, 1, self.dim], device),
        }
    }
}

impl ClassToken {
    /// `[batch, length, dim]` to `[batch, length + 1, dim]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for ClassToken {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, _: &mut Pass) -> Dual<3> {
        let [batch, ..] = input.dims();
        let token = Dual::parameter(&self.weight, along.map(|along| &along.weight));
        Dual::cat(
            vec![token.linear(|token| token.repeat_dim(0, batch)), input],
            1,
        )
    }
}
