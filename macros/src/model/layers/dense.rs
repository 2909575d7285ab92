//! Dense layers, and dropout.

use quote::quote;

use super::{Dim, Layer, Made, P, Range, Rule, layer, numbers};

pub const LAYERS: &[Layer] = &[
    layer(
        "linear",
        &[P::required("out"), P::optional("bias")],
        1,
        linear,
    ),
    layer("dropout", &[P::required("p")], 1, dropout),
];

fn linear(rule: &mut Rule) -> Made {
    let out = rule.size("out", None);
    let bias = rule.args.flag("bias", true);
    let features = rule.last();
    let output = rule.with_last(out.clone());
    let multiply_adds = numbers(&output).mul(&features);
    let (from, to) = (features.usize_tokens(), out.usize_tokens());
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    let init = quote! {
        ::core::convert::Into::into(::kiln::layer::LinearConfig::new(#from, #to) #with_bias .init(device))
    };
    Made::new(output, quote!(Linear), init)
        .params(features.add(&Dim::of(bias.into())).mul(&out))
        .multiply_adds(multiply_adds)
}

fn dropout(rule: &mut Rule) -> Made {
    let p = rule.real("p", Range::Share);
    let nothing = rule.args.value("p").and_then(|value| value.expr()?.real()) == Some(0.0);
    let init = quote!(::kiln::layer::DropoutConfig::new(#p).init());
    Made::new(rule.input.clone(), quote!(Dropout), init).idle(nothing, "it drops nothing")
}
