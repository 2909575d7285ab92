//! The approximation of GELU by a tanh.

use burn::tensor::Tensor;

use super::activation;
use crate::tangent::{Dual, Pass, Tangent, value_of};

activation! {
    /// `x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2` (Hendrycks and Gimpel 2016), as PyTorch's `gelu`
    /// with `approximate="tanh"`, and the one that GPT-2 was trained with.
    ///
    /// Burn's takes the cube by a power of a real number, which costs a logarithm.
    GeluTanh |input| {
        let cube = input.clone().square() * input.clone();
        let inner = (input.clone() + cube * 0.044715) * SQRT_2_OVER_PI;
        (inner.tanh() + 1.0) * input * 0.5
    }
}

const SQRT_2_OVER_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
