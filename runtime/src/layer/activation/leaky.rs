//! Rectifiers with a slope below 0.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::nn::activation::RRelu;
use burn::tensor::{Device, Tensor};

use super::activation;
use crate::tangent::{Dual, Pass, Tangent, value_of};

activation! {
    /// `x` above 0, `negative_slope x` else (Maas et al. 2013), as PyTorch's `leaky_relu`.
    ///
    /// Burn's gradient at 0 is 1, PyTorch's the slope, and a 0 is what padding gives.
    LeakyRelu, LeakyReluConfig {
        /// The slope below 0.
        negative_slope = 0.01,
    }
    |layer, input| {
        let scaled = input.clone() * layer.negative_slope;
        below_zero(input, scaled)
    }
}

/// `x` above 0, `weight x` else, with a slope that is learned (He et al. 2015), as PyTorch's
/// `PReLU`.
///
/// Burn's calls the parameter `alpha`, and its gradient at 0 is 1, PyTorch's the slope.
#[derive(Module, Debug)]
pub struct PRelu {
    /// The slope below 0, one for all or one per channel: `[parameters]`.
    pub weight: Param<Tensor<1>>,
}

/// The settings of [`PRelu`], with PyTorch's defaults.
#[derive(Config, Debug)]
pub struct PReluConfig {
    /// 1 for one slope in all, or the number of channels.
    #[config(default = 1)]
    pub parameters: usize,
    /// What the slopes begin with.
    #[config(default = 0.25)]
    pub slope: f64,
}

impl PReluConfig {
    /// The layer.
    pub fn init(&self, device: &Device) -> PRelu {
        let slope = Initializer::Constant { value: self.slope };
        PRelu {
            weight: slope.init([self.parameters], device),
        }
    }
}

impl PRelu {
    /// `[batch, channels, ..]`; the shape stays.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        value_of(self, input)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for PRelu {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let weight = Dual::parameter(&self.weight, along.map(|along| &along.weight));
        let mut shape = [1; D];
        shape[1] = weight.dims()[0];
        let scaled = input.clone() * weight.reshape(shape);
        below_zero(input, scaled)
    }
}

/// Burn's slope below 0 is drawn in training; it is the mean of the bounds else, and here.
impl<const D: usize> Tangent<Dual<D>, Dual<D>> for RRelu {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let scaled = input.clone() * ((self.lower + self.upper) / 2.0);
        below_zero(input, scaled)
    }
}

/// `input` above 0, `scaled` else.
fn below_zero<const D: usize>(input: Dual<D>, scaled: Dual<D>) -> Dual<D> {
    let below = input.value.clone().lower_equal_scalar(0.0);
    input.mask_where(below, scaled)
}
