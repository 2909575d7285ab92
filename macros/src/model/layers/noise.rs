//! What is random in training and passes its input on in inference.

use quote::{format_ident, quote};

use super::{Layer, Made, P, Range, Rule, layer};

pub const LAYERS: &[Layer] = &[
    layer("dropout", &[P::required("p")], 1, |rule| {
        drops(rule, "Dropout")
    }),
    layer("dropout2d", &[P::required("p")], 1, |rule| {
        rule.image(2);
        drops(rule, "Dropout2d")
    }),
    layer("alpha_dropout", &[P::required("p")], 1, |rule| {
        drops(rule, "AlphaDropout")
    }),
    layer("stochastic_depth", &[P::required("p")], 1, |rule| {
        drops(rule, "StochasticDepth")
    }),
    layer("gaussian_noise", &[P::required("std")], 1, |rule| {
        noise(
            rule,
            "GaussianNoise",
            "std",
            Range::NotNegative,
            "it adds nothing",
        )
    }),
];

fn drops(rule: &mut Rule, layer: &str) -> Made {
    noise(rule, layer, "p", Range::Share, "it drops nothing")
}

fn noise(rule: &mut Rule, layer: &str, arg: &str, range: Range, idle: &'static str) -> Made {
    let value = rule.real(arg, range);
    let nothing = rule.args.value(arg).and_then(|value| value.expr()?.real()) == Some(0.0);
    let (ty, config) = (format_ident!("{layer}"), format_ident!("{layer}Config"));
    let init = quote!(::kiln::layer::#config::new(#value).init());
    Made::new(rule.input.clone(), quote!(#ty), init).idle(nothing, idle)
}
