//! Normalization by the root of the mean square.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::tangent::{Dual, Pass, Tangent, value_of};

/// `x / sqrt(mean(x²) + epsilon) gamma` over the last dimension (Zhang and Sennrich 2019), as
/// PyTorch's `RMSNorm`.
///
/// Burn's has another `epsilon`, and takes the root in single precision whatever the input's is.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// The factor of each feature, `[width]`; PyTorch's `weight`.
    pub gamma: Param<Tensor<1>>,
    /// Added to the mean square.
    pub epsilon: f64,
}

/// The settings of [`RmsNorm`], with PyTorch's defaults.
#[derive(Config, Debug)]
pub struct RmsNormConfig {
    /// Width of the last dimension.
    pub width: usize,
    /// Added to the mean square: single precision's epsilon, 2⁻²³.
    #[config(default = 1.1920928955078125e-7)]
    pub epsilon: f64,
}

impl RmsNormConfig {
    /// The layer, with a gamma of 1.
    pub fn init(&self, device: &Device) -> RmsNorm {
        RmsNorm {
            gamma: Initializer::Ones.init([self.width], device),
            epsilon: self.epsilon,
        }
    }
}

impl RmsNorm {
    /// `[.., width]`; the shape stays.
    ///
    /// # Panics
    ///
    /// If the last dimension is not `width`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        value_of(self, input)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for RmsNorm {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let gamma = Dual::parameter(&self.gamma, along.map(|along| &along.gamma));
        let mean = input.clone().square().mean_dim(D - 1);
        input / (mean + self.epsilon).sqrt() * gamma.linear(|x| x.unsqueeze())
    }
}
