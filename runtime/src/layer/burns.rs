//! The tangents of the layers that are Burn's own.

use burn::nn::activation::{
    GLU, HardShrink, LogSigmoid, Mish, SiLU, Sigmoid, SoftShrink, Softplus, Softsign, SwiGlu, Tanh,
    Tanhshrink, Threshold, ThresholdedRelu,
};
use burn::nn::pool::{AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d};
use burn::nn::{Identity, PixelShuffle, PixelUnshuffle, Unfold4d};
use burn::tensor::Tensor;

use super::linear::{linear, optional};
use crate::tangent::{Dual, Pass, Tangent, idle_layers, linear_layers, sigmoid};

idle_layers!(Identity);

linear_layers! {
    AdaptiveAvgPool1d: 3 -> 3,
    AdaptiveAvgPool2d: 4 -> 4,
    AdaptiveAvgPool3d: 5 -> 5,
    PixelShuffle: 4 -> 4,
    PixelUnshuffle: 4 -> 4,
    Unfold4d: 4 -> 3,
}

/// Layers without parameters, each as its formula.
macro_rules! formulas {
    ($($layer:ident: |$self:ident, $input:ident| $output:expr;)*) => { $(
        impl<const D: usize> Tangent<Dual<D>, Dual<D>> for $layer {
            fn forward_dual(&self, _: Option<&Self>, $input: Dual<D>, _: &mut Pass) -> Dual<D> {
                let $self = self;
                $output
            }
        }
    )* };
}

formulas! {
    Sigmoid: |_layer, x| x.sigmoid();
    LogSigmoid: |_layer, x| x.log_sigmoid();
    SiLU: |_layer, x| silu(x);
    Mish: |_layer, x| x.clone() * x.softplus().tanh();
    Softplus: |layer, x| x.pointwise(|x| layer.forward(x), |x, _| {
        let x = x * layer.beta;
        // Beyond the threshold it is the identity.
        let above = x.clone().greater_scalar(layer.threshold);
        sigmoid(x).mask_fill(above, 1.0)
    });
    Tanh: |_layer, x| x.tanh();
    Tanhshrink: |_layer, x| x.clone() - x.tanh();
    Softsign: |_layer, x| x.clone() / (x.abs() + 1.0);
    HardShrink: |layer, x| shrink(x, layer.lambda, |x| layer.forward(x));
    SoftShrink: |layer, x| shrink(x, layer.lambda, |x| layer.forward(x));
    Threshold: |layer, x| {
        let below = x.value.clone().lower_equal_scalar(layer.threshold);
        x.mask_fill(below, layer.value)
    };
    ThresholdedRelu: |layer, x| {
        let below = x.value.clone().lower_equal_scalar(layer.alpha);
        x.mask_fill(below, 0.0)
    };
    GLU: |layer, x| {
        // The layer keeps its axis to itself; it is the one that gets shorter.
        let (from, to) = (x.dims(), layer.forward(x.value.clone().detach()).dims());
        let axis = (0..D).find(|axis| from[*axis] != to[*axis]).unwrap_or_default();
        let [gated, gate] = [0, to[axis]].map(|start| x.clone().narrow(axis, start, to[axis]));
        gated * gate.sigmoid()
    };
}

fn silu<const D: usize>(x: Dual<D>) -> Dual<D> {
    x.clone() * x.sigmoid()
}

/// Zero where `|x|` is at most `lambda`, shifted beyond.
fn shrink<const D: usize>(
    x: Dual<D>,
    lambda: f64,
    forward: impl Fn(Tensor<D>) -> Tensor<D>,
) -> Dual<D> {
    let tangent = x.tangent.map(|tangent| {
        let inside = x.value.clone().abs().lower_equal_scalar(lambda);
        tangent.mask_fill(inside, 0.0)
    });
    Dual {
        value: forward(x.value),
        tangent,
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for SwiGlu {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let inner = (&self.linear_inner, along.map(|along| &along.linear_inner));
        let outer = (&self.linear_outer, along.map(|along| &along.linear_outer));
        let [gate, gated] = [inner, outer].map(|(layer, along)| {
            let weight = Dual::parameter(&layer.weight, along.map(|along| &along.weight));
            let bias = along.and_then(|along| along.bias.as_ref());
            linear(input.clone(), weight, optional(layer.bias.as_ref(), bias))
        });
        silu(gate) * gated
    }
}
