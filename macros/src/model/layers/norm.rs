//! Normalisation.

use quote::quote;

use super::{Dim, Layer, Made, P, Range, Rule, layer};

pub const LAYERS: &[Layer] = &[
    layer(
        "batch_norm",
        &[P::optional("epsilon"), P::optional("momentum")],
        0,
        batch_norm,
    ),
    layer(
        "layer_norm",
        &[P::optional("epsilon"), P::optional("bias")],
        0,
        layer_norm,
    ),
];

fn batch_norm(rule: &mut Rule) -> Made {
    let epsilon = rule
        .real("epsilon", Range::Positive)
        .map(|value| quote!(.with_epsilon(#value)));
    let momentum = rule
        .real("momentum", Range::Unit)
        .map(|value| quote!(.with_momentum(#value)));
    let features = rule.dim(0);
    let size = features.usize_tokens();
    let init = quote! {
        ::core::convert::Into::into(::kiln::layer::BatchNormConfig::new(#size) #epsilon #momentum .init(device))
    };
    Made::new(rule.input.clone(), quote!(BatchNorm), init).params(features.mul(&Dim::of(2)))
}

fn layer_norm(rule: &mut Rule) -> Made {
    let epsilon = rule
        .real("epsilon", Range::Positive)
        .map(|value| quote!(.with_epsilon(#value)));
    let bias = rule.args.flag("bias", true);
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    let features = rule.last();
    let size = features.usize_tokens();
    let init = quote! {
        ::kiln::layer::LayerNormConfig::new(#size) #epsilon #with_bias .init(device)
    };
    let params = features.mul(&Dim::of(if bias { 2 } else { 1 }));
    Made::new(rule.input.clone(), quote!(LayerNorm), init).params(params)
}
