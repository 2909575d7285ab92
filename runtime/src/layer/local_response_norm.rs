//! Normalization over neighbouring channels.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::ops::AvgPoolOptions;

use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent, value_of};

/// `x_c / (k + alpha/size Σ x_j²)^beta` with the sum over the `size` channels around `c`, zeros beyond
/// the first and the last one (Krizhevsky et al. 2012), as PyTorch's `LocalResponseNorm`.
///
/// Where `size` is even PyTorch takes one more channel before `c` than behind it, Burn the other way.
#[derive(Module, Debug)]
pub struct LocalResponseNorm {
    /// How many channels are taken together.
    pub size: usize,
    /// The factor of the mean square.
    pub alpha: f64,
    /// The exponent.
    pub beta: f64,
    /// What the mean square is added to.
    pub k: f64,
}

/// The settings of [`LocalResponseNorm`], with PyTorch's defaults.
#[derive(Config, Debug)]
pub struct LocalResponseNormConfig {
    /// How many channels are taken together.
    pub size: usize,
    /// The factor of the mean square.
    #[config(default = 1e-4)]
    pub alpha: f64,
    /// The exponent.
    #[config(default = 0.75)]
    pub beta: f64,
    /// What the mean square is added to.
    #[config(default = 1.0)]
    pub k: f64,
}

impl LocalResponseNormConfig {
    /// The layer.
    pub fn init(&self) -> LocalResponseNorm {
        LocalResponseNorm {
            size: self.size,
            alpha: self.alpha,
            beta: self.beta,
            k: self.k,
        }
    }
}

impl LocalResponseNorm {
    /// `[batch, channels, ..]`; the shape stays.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        value_of(self, input)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for LocalResponseNorm {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let shape = input.dims();
        let size = shape[2..].iter().product();
        let squares = input
            .clone()
            .square()
            .reshape([shape[0], 1, shape[1], size]);
        let window = AvgPoolOptions::new([self.size, 1])
            .with_stride([1, 1])
            .with_padding_pairs([(self.size / 2, (self.size - 1) / 2), (0, 0)]);
        let mean = squares
            .linear(|x| kernel::avg_pool2d(x, window.clone()))
            .reshape(shape);
        input / (mean * self.alpha + self.k).powf_scalar(self.beta)
    }
}
