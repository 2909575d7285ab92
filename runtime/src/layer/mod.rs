//! The layers that a declaration is made of: Burn's own, or Burn's parameters with a forward pass
//! by Kiln's [kernels](crate::kernel).
//!
//! The latter hold Burn's layer, are made from it by `into()` ([`LayerNorm`] from its configuration)
//! and have its parameter paths; on a device for which there is no kernel they run Burn's code:
//!
//! ```
//! use kiln::Tensor;
//! use kiln::layer::{Conv2d, Conv2dConfig};
//!
//! let device = kiln::device::default_device()?;
//! let conv: Conv2d = Conv2dConfig::new([1, 16], [3, 3]).init(&device).into();
//! let output = conv.forward(Tensor::ones([2, 1, 28, 28], &device));
//! assert_eq!(output.dims(), [2, 16, 26, 26]);
//! # Ok::<(), kiln::Error>(())
//! ```

mod activation;
mod adaptive_pool;
mod attention;
mod burns;
mod class_token;
mod conv;
mod embedding;
mod global_pool;
mod group_norm;
mod interpolate;
mod kept;
mod layer_norm;
mod linear;
mod local_response_norm;
mod named;
mod noise;
mod norm;
mod own;
mod pad;
mod padding;
mod pool;
mod positions;
mod recurrent;
mod reduce;
mod rms_norm;
mod rotary;
mod shape;
mod transformer;
mod wrapped;

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::Tensor;

use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent};

pub use burn::nn::activation::{
    GLU, HardShrink, HardShrinkConfig, LogSigmoid, Mish, RRelu, RReluConfig, SiLU, Sigmoid,
    SoftShrink, SoftShrinkConfig, Softplus, SoftplusConfig, Softsign, SwiGlu, SwiGluConfig, Tanh,
    Tanhshrink, Threshold, ThresholdConfig, ThresholdedRelu, ThresholdedReluConfig,
};
pub use burn::nn::conv::{
    Conv1dConfig, Conv2dConfig, Conv3d, Conv3dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
    ConvTranspose3d, ConvTranspose3dConfig,
};
pub use burn::nn::pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool1dConfig, AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig,
    AdaptiveAvgPool3d, AdaptiveAvgPool3dConfig, AvgPool1dConfig, AvgPool2dConfig, MaxPool1dConfig,
    MaxPool2dConfig,
};
pub use burn::nn::{
    BatchNormConfig, Dropout, DropoutConfig, EmbeddingConfig, GaussianNoise, GaussianNoiseConfig,
    Identity, LinearConfig, PaddingConfig1d, PaddingConfig2d, PaddingConfig3d, PixelShuffle,
    PixelShuffleConfig, PixelUnshuffle, PixelUnshuffleConfig, Unfold4d, Unfold4dConfig,
};

pub use self::activation::{
    Celu, CeluConfig, Elu, EluConfig, GeluTanh, Hardsigmoid, Hardswish, Hardtanh, HardtanhConfig,
    LeakyRelu, LeakyReluConfig, LogSoftmax, PRelu, PReluConfig, Relu, Relu6, Selu, Softmin,
};
pub use self::adaptive_pool::AdaptiveMaxPool;
pub use self::attention::{
    CrossAttention, CrossAttentionConfig, MultiHeadAttention, MultiHeadAttentionConfig,
};
pub use self::class_token::{ClassToken, ClassTokenConfig};
pub use self::conv::{Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d};
pub use self::embedding::Embedding;
pub use self::global_pool::{GlobalAvgPool, GlobalMaxPool};
pub use self::group_norm::{GroupNorm, GroupNormConfig, InstanceNorm, InstanceNormConfig};
pub use self::interpolate::{Interpolate, InterpolateConfig, InterpolateMode, InterpolateSize};
pub use self::layer_norm::{LayerNorm, LayerNormConfig};
pub use self::linear::Linear;
pub use self::local_response_norm::{LocalResponseNorm, LocalResponseNormConfig};
pub use self::noise::{
    AlphaDropout, AlphaDropoutConfig, Dropout2d, Dropout2dConfig, StochasticDepth,
    StochasticDepthConfig,
};
pub use self::norm::BatchNorm;
pub use self::own::Layer;
pub use self::pad::{Pad, PadConfig, PadMode};
pub use self::pool::{AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d};
pub use self::positions::{
    PositionEmbedding, PositionEmbeddingConfig, SinusoidalPositions, SinusoidalPositionsConfig,
};
pub use self::recurrent::{Gru, GruConfig, Lstm, LstmConfig, Nonlinearity, Rnn, RnnConfig};
pub use self::reduce::{Max, Mean, Sum};
pub use self::rms_norm::{RmsNorm, RmsNormConfig};
pub use self::rotary::{RotaryEmbedding, RotaryEmbeddingConfig};
pub use self::shape::{Flatten, Permute, Reshape, Select};
pub use self::transformer::{
    Activation, TransformerDecoder, TransformerDecoderConfig, TransformerDecoderLayer,
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderLayer,
};

/// `x Φ(x)` with the normal distribution function `Φ(x) = (1 + erf(x / √2)) / 2`, for each element
/// (Hendrycks and Gimpel 2016); the shape stays.
///
/// Burn's own layer computes the same, but on most backends Burn 0.22.1 differentiates it as its
/// approximation by a tanh (`ActivationOps::gelu_backward`), which is off by up to 9e-4.
#[derive(burn::module::Module, Debug, Default)]
pub struct Gelu {}

impl Gelu {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        Gelu {}
    }

    /// `x Φ(x)` for each element.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        kernel::gelu(input)
    }
}

/// `y' = (Φ(x) + x φ(x)) x'`, with the normal density `φ`.
impl<const D: usize> Tangent<Dual<D>, Dual<D>> for Gelu {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        input.pointwise(kernel::gelu, |x, _| {
            let share = (x.clone() * FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
            let density =
                (x.clone().square() * -0.5).exp() * (FRAC_1_SQRT_2 * FRAC_2_SQRT_PI * 0.5);
            share + x * density
        })
    }
}

/// `exp(x_i) / sum_j exp(x_j)` over the last dimension; the shape stays.
#[derive(burn::module::Module, Debug, Default)]
pub struct Softmax {}

impl Softmax {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        Softmax {}
    }

    /// The softmax over the last dimension.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        kernel::softmax(input)
    }
}

/// `y' = y (x' - Σ y x')`
impl<const D: usize> Tangent<Dual<D>, Dual<D>> for Softmax {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        input.softmax()
    }
}
