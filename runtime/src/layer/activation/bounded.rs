//! Activations that are flat beyond bounds.

use burn::tensor::Tensor;

use super::activation;
use crate::tangent::{Dual, Pass, Tangent, value_of};

activation! {
    /// `min(max(x, min), max)`, as PyTorch's `hardtanh`.
    ///
    /// Burn's gradient on a bound is 1, PyTorch's 0.
    Hardtanh, HardtanhConfig {
        /// The lower bound.
        min = -1.0,
        /// The upper bound.
        max = 1.0,
    }
    |layer, input| bounded(input, layer.min, layer.max)
}

activation! {
    /// `min(max(x, 0), 6)` (Krizhevsky 2010), as PyTorch's `relu6`.
    ///
    /// Burn's gradient at 0 is 1, PyTorch's 0, and a 0 is what padding gives.
    Relu6 |input| bounded(input, 0.0, 6.0)
}

activation! {
    /// `min(max(x / 6 + 1/2, 0), 1)`, as PyTorch's `hardsigmoid`.
    ///
    /// Burn's layer has ONNX's slope of 1/5 as its default, and a gradient of 1/6 on a bound.
    Hardsigmoid |input| hardsigmoid(input)
}

activation! {
    /// `x hardsigmoid(x)` (Howard et al. 2019), as PyTorch's `hardswish`.
    Hardswish |input| input.clone() * hardsigmoid(input)
}

fn hardsigmoid<const D: usize>(input: Dual<D>) -> Dual<D> {
    bounded(input / 6.0 + 0.5, 0.0, 1.0)
}

/// The gradient is 0 on the bounds too.
fn bounded<const D: usize>(input: Dual<D>, min: f64, max: f64) -> Dual<D> {
    let (below, above) = (
        input.value.clone().lower_equal_scalar(min),
        input.value.clone().greater_equal_scalar(max),
    );
    input.mask_fill(below, min).mask_fill(above, max)
}
