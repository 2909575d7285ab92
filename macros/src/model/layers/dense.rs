//! Dense layers.

use quote::quote;

use super::{Dim, Layer, Made, P, Rule, layer, numbers};

pub const LAYERS: &[Layer] = &[layer(
    "linear",
    &[P::required("out"), P::optional("bias")],
    1,
    linear,
)];

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
