//! What makes sequences, and what tells their elements their places.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Condition, Dim, Layer, Made, P, Range, Rule, layer, message};
use crate::model::dim::Shape;

pub const LAYERS: &[Layer] = &[
    Layer {
        integers: true,
        ..layer(
            "embedding",
            &[P::required("vocabulary"), P::required("dim")],
            2,
            embedding,
        )
    },
    layer(
        "position_embedding",
        &[P::optional("max_length")],
        1,
        position_embedding,
    ),
    layer(
        "sinusoidal_positions",
        &[P::optional("base")],
        0,
        sinusoidal_positions,
    ),
    layer(
        "rotary_embedding",
        &[P::optional("base")],
        0,
        rotary_embedding,
    ),
    layer("class_token", &[], 0, class_token),
];

fn embedding(rule: &mut Rule) -> Made {
    let vocabulary = rule.size("vocabulary", None);
    let dim = rule.size("dim", None);
    let output = rule.input.0.clone().map(|mut dims| {
        dims.push(dim.clone());
        dims
    });
    let (rows, columns) = (vocabulary.usize_tokens(), dim.usize_tokens());
    let init = quote! {
        ::core::convert::Into::into(::kiln::layer::EmbeddingConfig::new(#rows, #columns).init(device))
    };
    Made::new(Shape(output), quote!(Embedding), init).params(vocabulary.mul(&dim))
}

fn position_embedding(rule: &mut Rule) -> Made {
    let [length, features] = sequence(rule);
    let given = rule.args.value("max_length").is_some();
    let most = match length.anys().first() {
        Some(name) if !given => {
            let message = format!(
                "`position_embedding` has a row for each place, and `{name}`, how many there are, is \
                 known only when a tensor arrives; give it the most there may be: `max_length: 512`",
            );
            rule.checks.report.error(rule.args.name, message);
            Dim::UNKNOWN
        }
        None if !given => length.clone(),
        _ => rule.size("max_length", None),
    };
    rule.require(
        Condition::Within(most.sub(&length), 0, i128::MAX),
        "max_length",
        message![
            "`position_embedding` needs a place for each element of the sequence: its length is ",
            &length,
            ", `max_length` is ",
            &most,
        ],
    );
    let (rows, columns) = (most.usize_tokens(), features.usize_tokens());
    let init = quote!(::kiln::layer::PositionEmbeddingConfig::new(#rows, #columns).init(device));
    Made::new(rule.input.clone(), quote!(PositionEmbedding), init).params(most.mul(&features))
}

fn sinusoidal_positions(rule: &mut Rule) -> Made {
    sequence(rule);
    let base = base(rule, "base");
    let init = quote!(::kiln::layer::SinusoidalPositionsConfig::new() #base .init());
    Made::new(rule.input.clone(), quote!(SinusoidalPositions), init)
}

fn rotary_embedding(rule: &mut Rule) -> Made {
    let base = base(rule, "base");
    if let Some([_]) = rule.input.0.as_deref() {
        let message = format!(
            "`rotary_embedding` needs [length, .., dim], found {}",
            rule.input
        );
        rule.checks.report.error(rule.args.name, message);
    }
    let dim = rule.last();
    rule.require(
        Condition::Multiple(dim.clone(), Dim::of(2)),
        "",
        message![
            "`rotary_embedding` turns pairs of features, so there must be an even number of them, found ",
            &dim,
        ],
    );
    let init = quote!(::kiln::layer::RotaryEmbeddingConfig::new() #base .init());
    Made::new(rule.input.clone(), quote!(RotaryEmbedding), init)
}

fn class_token(rule: &mut Rule) -> Made {
    let [length, features] = sequence(rule);
    let output = match &rule.input.0 {
        Some(dims) if dims.len() == 2 => Shape::of(vec![length.add(&Dim::of(1)), features.clone()]),
        _ => Shape::UNKNOWN,
    };
    let dim = features.usize_tokens();
    let init = quote!(::kiln::layer::ClassTokenConfig::new(#dim).init(device));
    Made::new(output, quote!(ClassToken), init).params(features)
}

fn base(rule: &mut Rule, arg: &str) -> Option<TokenStream> {
    let base = rule.real(arg, Range::Positive);
    base.map(|base| quote!(.with_base(#base)))
}

/// Length and features of the input; reported if it is no sequence.
pub fn sequence(rule: &mut Rule) -> [Dim; 2] {
    match rule.input.0.as_deref() {
        None => {}
        Some([length, features]) => return [length.clone(), features.clone()],
        Some(dims) => {
            let help = match dims.len() {
                1 => "; numbers in a row are a sequence of one feature each: [length, 1]",
                3 => "; the batch dimension is implied, and an image is no sequence",
                _ => "",
            };
            let message = format!(
                "`{}` needs a sequence [length, features], found {}{help}",
                rule.args.name, rule.input,
            );
            rule.checks.report.error(rule.args.name, message);
        }
    }
    [Dim::UNKNOWN; 2]
}
