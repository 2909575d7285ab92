//! Recurrent layers.

use proc_macro2::TokenStream;
use quote::quote;

use super::sequence::sequence;
use super::{Dim, Layer, Made, P, Range, Rule, layer};
use crate::model::dim::Shape;

/// The parameters that all of them have.
const PARAMS: &[P] = &[
    P::required("hidden"),
    P::optional("layers"),
    P::optional("bidirectional"),
    P::optional("bias"),
    P::optional("dropout"),
];

pub const LAYERS: &[Layer] = &[
    layer("lstm", PARAMS, 1, |rule| {
        recurrent(rule, 4, quote!(Lstm), quote!(LstmConfig), None)
    }),
    layer("gru", PARAMS, 1, |rule| {
        recurrent(rule, 3, quote!(Gru), quote!(GruConfig), None)
    }),
    layer(
        "rnn",
        &[
            P::required("hidden"),
            P::optional("layers"),
            P::optional("bidirectional"),
            P::optional("bias"),
            P::optional("dropout"),
            P::optional("nonlinearity"),
        ],
        1,
        rnn,
    ),
];

fn rnn(rule: &mut Rule) -> Made {
    let relu = rule.args.choice("nonlinearity", &["tanh", "relu"]) == Some("relu");
    let relu = relu.then(|| quote!(.with_nonlinearity(::kiln::layer::Nonlinearity::Relu)));
    recurrent(rule, 1, quote!(Rnn), quote!(RnnConfig), relu)
}

/// A layer that computes `gates` numbers for each of its hidden ones.
fn recurrent(
    rule: &mut Rule,
    gates: i128,
    ty: TokenStream,
    config: TokenStream,
    setting: Option<TokenStream>,
) -> Made {
    let [length, features] = sequence(rule);
    let hidden = rule.size("hidden", None);
    let layers = rule.size("layers", Some(1));
    let bidirectional = rule.args.flag("bidirectional", false);
    let bias = rule.args.flag("bias", true);
    let dropout = rule.real("dropout", Range::Share);
    if dropout.is_some() && layers.number() == Some(1) {
        let message = format!(
            "the `dropout` of `{}` acts between its layers, and there is one; leave it out, or raise \
             `layers`",
            rule.args.name,
        );
        rule.checks.report.error(rule.args.pos("dropout"), message);
    }
    let directions = Dim::of(1 + i128::from(bidirectional));
    let outputs = directions.mul(&hidden);
    // The first layer reads the input, all others what the one before gives.
    let rows = directions.mul(&Dim::of(gates)).mul(&hidden);
    let others = layers.sub(&Dim::of(1)).mul(&outputs.add(&hidden));
    let weights = rows.mul(&features.add(&hidden).add(&others));
    let biases = rows.mul(&layers).mul(&Dim::of(2 * i128::from(bias)));
    let [input, size, count] = [&features, &hidden, &layers].map(Dim::usize_tokens);
    let layers = rule
        .args
        .value("layers")
        .map(|_| quote!(.with_layers(#count)));
    let bidirectional = bidirectional.then(|| quote!(.with_bidirectional(true)));
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    let dropout = dropout.map(|share| quote!(.with_dropout(#share)));
    let init = quote! {
        ::kiln::layer::#config::new(#input, #size)
            #layers #bidirectional #with_bias #dropout #setting
            .init(device)
    };
    let output = Shape::of(vec![length.clone(), outputs]);
    Made::new(output, ty, init)
        .params(weights.add(&biases))
        .multiply_adds(weights.mul(&length))
}
