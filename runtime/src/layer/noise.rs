//! Layers that are random in training, and pass their input on in inference.
//!
//! Training is what Burn's [`Dropout`](burn::nn::Dropout) takes for it: the input's device
//! differentiates, and the layer is not frozen.

use burn::config::Config;
use burn::module::{Flag, Module, Param};
use burn::nn::{Dropout, GaussianNoise};
use burn::tensor::{Distribution, Tensor};

use crate::tangent::{Dual, Pass, Tangent, idle_layers};

use super::activation::{SELU_ALPHA, SELU_SCALE};

/// Makes a layer with a probability `p`, and its configuration.
macro_rules! noise {
    (
        $(#[$doc:meta])*
        $name:ident, $config:ident { $(#[$about:meta])* p }
        |$p:ident, $input:ident| $output:expr
    ) => {
        $(#[$doc])*
        #[derive(Module, Debug)]
        pub struct $name {
            $(#[$about])*
            pub p: f64,
            /// Whether to behave as in training; a frozen layer does not.
            pub training: Param<Flag>,
        }

        #[doc = concat!("The setting of [`", stringify!($name), "`].")]
        #[derive(Config, Debug)]
        pub struct $config {
            $(#[$about])*
            pub p: f64,
        }

        impl $config {
            /// The layer.
            pub fn init(&self) -> $name {
                $name {
                    p: self.p,
                    training: Param::from_bool(true),
                }
            }
        }

        impl $name {
            /// `[batch, ..]`; the shape stays.
            pub fn forward<const D: usize>(&self, $input: Tensor<D>) -> Tensor<D> {
                let random = self.training.is_enabled() && $input.device().is_autodiff();
                if !random || self.p == 0.0 {
                    return $input;
                }
                let $p = self.p;
                $output
            }
        }
    };
}

noise! {
    /// Zeroes whole channels and divides the others by `1 - p` (Tompson et al. 2015), as PyTorch's
    /// `Dropout2d`: neighbours in a channel are too much alike for [`Dropout`](burn::nn::Dropout).
    Dropout2d, Dropout2dConfig {
        /// The probability of a channel to be zeroed: at least 0, below 1.
        p
    }
    |p, input| {
        let [batch, channels] = [input.dims()[0], input.dims()[1]];
        let kept = kept(&input, [batch, channels], p);
        input * kept * (1.0 / (1.0 - p))
    }
}

noise! {
    /// Zeroes the whole of some examples and divides the others by `1 - p` (Huang et al. 2016), as
    /// torchvision's `StochasticDepth` with mode `row`. At the end of a residual block's branch it
    /// leaves the branch out.
    StochasticDepth, StochasticDepthConfig {
        /// The probability of an example to be zeroed: at least 0, below 1.
        p
    }
    |p, input| {
        let batch = input.dims()[0];
        let kept = kept(&input, [batch], p);
        input * kept * (1.0 / (1.0 - p))
    }
}

noise! {
    /// Sets numbers to what [`Selu`](super::Selu) saturates to, `-a`, then scales and shifts all
    /// of them so that mean 0 and variance 1 stay (Klambauer et al. 2017), as PyTorch's `AlphaDropout`:
    /// `s (x kept - a (1 - kept) + a p)` with `s = ((1 - p) (1 + p a²))^(-1/2)`.
    AlphaDropout, AlphaDropoutConfig {
        /// The probability of a number to be set: at least 0, below 1.
        p
    }
    |p, input| {
        let a = SELU_ALPHA * SELU_SCALE;
        let scale = ((1.0 - p) * (1.0 + p * a * a)).powf(-0.5);
        let kept = kept(&input, input.dims(), p);
        ((input + a) * kept + (p - 1.0) * a) * scale
    }
}

/// Zeros with probability `p`, else ones: `leading`, and a size of 1 in the other dimensions.
fn kept<const D: usize, const L: usize>(
    input: &Tensor<D>,
    leading: [usize; L],
    p: f64,
) -> Tensor<D> {
    let mut shape = [1; D];
    shape[..L].copy_from_slice(&leading);
    let of = (&input.device(), input.dtype());
    Tensor::random(shape, Distribution::Bernoulli(1.0 - p), of)
}

idle_layers!(GaussianNoise, Dropout2d, StochasticDepth, AlphaDropout);

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for Dropout {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, pass: &mut Pass) -> Dual<D> {
        if pass.has_noise() {
            return Dual::constant(self.forward(input.value));
        }
        input
    }
}
