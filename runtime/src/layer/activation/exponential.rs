//! Activations with an exponential below 0.
//!
//! Burn computes the exponential of what is above 0 too and does not use it; where it overflows,
//! above 88, the gradient is then infinity times zero.

use burn::tensor::Tensor;

use super::activation;
use crate::tangent::{Dual, Pass, Tangent, value_of};

activation! {
    /// `x` above 0, `alpha (exp(x) - 1)` else (Clevert et al. 2016), as PyTorch's `elu`.
    Elu, EluConfig {
        /// What `-x` saturates to.
        alpha = 1.0,
    }
    |layer, input| elu(input, layer.alpha, 1.0)
}

activation! {
    /// `x` above 0, `alpha (exp(x / alpha) - 1)` else (Barron 2017), as PyTorch's `celu`.
    Celu, CeluConfig {
        /// What `-x` saturates to; not 0.
        alpha = 1.0,
    }
    |layer, input| elu(input, layer.alpha, layer.alpha)
}

activation! {
    /// `scale x` above 0, `scale alpha (exp(x) - 1)` else, with the two constants that keep mean 0
    /// and variance 1 through layers (Klambauer et al. 2017); as PyTorch's `selu`.
    Selu |input| elu(input, SELU_ALPHA, 1.0) * SELU_SCALE
}

pub(in crate::layer) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(in crate::layer) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// `x` above 0, `alpha (exp(x / width) - 1)` else.
fn elu<const D: usize>(input: Dual<D>, alpha: f64, width: f64) -> Dual<D> {
    let below = input.value.clone().lower_equal_scalar(0.0);
    let curve = (input.clone().clamp_max(0.0) / width).exp() * alpha - alpha;
    input.mask_where(below, curve)
}
