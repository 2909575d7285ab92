//! Activations.

use quote::quote;

use super::{Layer, layer};

pub const LAYERS: &[Layer] = &[
    layer("relu", &[], 0, |rule| rule.pointwise(quote!(Relu))),
    layer("gelu", &[], 0, |rule| rule.pointwise(quote!(Gelu))),
    layer("tanh", &[], 0, |rule| rule.pointwise(quote!(Tanh))),
    layer("sigmoid", &[], 0, |rule| rule.pointwise(quote!(Sigmoid))),
    layer("softmax", &[], 0, |rule| rule.pointwise(quote!(Softmax))),
];
