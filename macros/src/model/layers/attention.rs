//! Attention, and the transformer.

use proc_macro2::TokenStream;
use quote::quote;

use super::sequence::sequence;
use super::{Condition, Dim, Layer, Made, P, Range, Rule, layer, message};
use crate::model::dim::Shape;
use crate::syntax::Node;

pub const LAYERS: &[Layer] = &[
    Layer {
        values: &["memory"],
        ..layer(
            "multi_head_attention",
            &[
                P::required("heads"),
                P::optional("memory"),
                P::optional("causal"),
                P::optional("bias"),
                P::optional("dropout"),
                P::optional("rotary"),
            ],
            1,
            multi_head_attention,
        )
    },
    layer(
        "transformer_encoder",
        &[
            P::required("heads"),
            P::required("layers"),
            P::optional("feedforward"),
            P::optional("dropout"),
            P::optional("activation"),
            P::optional("norm_first"),
            P::optional("causal"),
            P::optional("norm"),
            P::optional("epsilon"),
            P::optional("bias"),
        ],
        1,
        transformer_encoder,
    ),
    Layer {
        values: &["memory"],
        ..layer(
            "transformer_decoder",
            &[
                P::required("heads"),
                P::required("layers"),
                P::required("memory"),
                P::optional("feedforward"),
                P::optional("dropout"),
                P::optional("activation"),
                P::optional("norm_first"),
                P::optional("causal"),
                P::optional("norm"),
                P::optional("epsilon"),
                P::optional("bias"),
            ],
            1,
            transformer_decoder,
        )
    },
];

fn multi_head_attention(rule: &mut Rule) -> Made {
    let [length, dim] = sequence(rule);
    let heads = rule.size("heads", None);
    let causal = rule.args.flag("causal", false);
    let bias = rule.args.flag("bias", true);
    let dropout = rule.real("dropout", Range::Share);
    let rotary = rotary(rule);
    if rotary.is_some() {
        rule.require(
            Condition::Multiple(dim.clone(), heads.mul(&Dim::of(2))),
            "heads",
            message![
                "`rotary` turns pairs of features, so each head needs an equal and even number of them: ",
                &dim,
                " is no multiple of twice `heads`, ",
                &heads,
            ],
        );
    } else {
        divides(rule, &dim, &heads);
    }
    let memory = memory(rule);
    let biases = Dim::of(4 * i128::from(bias)).mul(&dim);
    let [size, count] = [&dim, &heads].map(Dim::usize_tokens);
    let with_bias = (!bias).then(|| quote!(.with_bias(false)));
    let dropout = dropout.map(|share| quote!(.with_dropout(#share)));
    let output = rule.input.clone();
    let Some([elements, features]) = memory else {
        let causal = causal.then(|| quote!(.with_causal(true)));
        let init = quote! {
            ::kiln::layer::MultiHeadAttentionConfig::new(#size, #count)
                #causal #with_bias #dropout #rotary
                .init(device)
        };
        return Made::new(output, quote!(MultiHeadAttention), init)
            .params(Dim::of(4).mul(&dim).mul(&dim).add(&biases))
            .multiply_adds(attention([&length, &dim], [&length, &dim]));
    };
    for (arg, given) in [("causal", causal), ("rotary", rotary.is_some())] {
        if given {
            let message = format!(
                "a memory is seen as a whole, and its elements have no place among the input's; leave \
                 `{arg}` out",
            );
            rule.checks.report.error(rule.args.pos(arg), message);
        }
    }
    let from = features.usize_tokens();
    let init = quote! {
        ::kiln::layer::CrossAttentionConfig::new(#size, #from, #count)
            #with_bias #dropout
            .init(device)
    };
    let maps = Dim::of(2).mul(&dim).mul(&dim.add(&features));
    Made::new(output, quote!(CrossAttention), init)
        .params(maps.add(&biases))
        .multiply_adds(attention([&length, &dim], [&elements, &features]))
}

fn transformer_encoder(rule: &mut Rule) -> Made {
    let stack = Stack::read(rule, false);
    let [length, dim] = [&stack.length, &stack.dim];
    let attention = attention([length, dim], [length, dim]);
    stack.made(
        rule,
        1,
        attention,
        quote!(TransformerEncoder),
        quote!(TransformerEncoderConfig),
    )
}

fn transformer_decoder(rule: &mut Rule) -> Made {
    let stack = Stack::read(rule, true);
    let [length, dim] = [&stack.length, &stack.dim];
    let [elements, features] = memory(rule).unwrap_or([Dim::UNKNOWN; 2]);
    rule.require(
        Condition::Equal(features.clone(), dim.clone()),
        "memory",
        message![
            "`transformer_decoder` needs a memory of as many features as its input, ",
            dim,
            ", found ",
            &features,
            "; put a `linear` behind one of them",
        ],
    );
    let own = attention([length, dim], [length, dim]);
    let attention = own.add(&attention([length, dim], [&elements, dim]));
    stack.made(
        rule,
        2,
        attention,
        quote!(TransformerDecoder),
        quote!(TransformerDecoderConfig),
    )
}

/// What encoder and decoder have in common.
struct Stack {
    length: Dim,
    dim: Dim,
    heads: Dim,
    layers: Dim,
    feedforward: Dim,
    bias: bool,
    norm: bool,
    /// The settings that are not PyTorch's defaults.
    settings: TokenStream,
}

impl Stack {
    /// `causal` is the default.
    fn read(rule: &mut Rule, causal: bool) -> Stack {
        let [length, dim] = sequence(rule);
        let heads = rule.size("heads", None);
        let layers = rule.size("layers", None);
        let feedforward = rule.size("feedforward", Some(2048));
        let dropout = rule.real("dropout", Range::Share);
        let dropout = dropout.map(|share| quote!(.with_dropout(#share)));
        let epsilon = rule.real("epsilon", Range::Positive);
        let epsilon = epsilon.map(|epsilon| quote!(.with_epsilon(#epsilon)));
        let gelu = rule.args.choice("activation", &["relu", "gelu"]) == Some("gelu");
        let gelu = gelu.then(|| quote!(.with_activation(::kiln::layer::Activation::Gelu)));
        let [bias, norm_first, norm] = [("bias", true), ("norm_first", false), ("norm", false)]
            .map(|(arg, default)| rule.args.flag(arg, default));
        let causal = rule.args.flag("causal", causal);
        divides(rule, &dim, &heads);
        let size = feedforward.usize_tokens();
        let settings = quote! {
            .with_feedforward(#size)
            .with_norm_first(#norm_first)
            .with_causal(#causal)
            .with_norm(#norm)
            .with_bias(#bias)
            #dropout #epsilon #gelu
        };
        Stack {
            length,
            dim,
            heads,
            layers,
            feedforward,
            bias,
            norm,
            settings,
        }
    }

    /// Layers of `attentions` each, which take `attention` multiply-adds together.
    fn made(
        &self,
        rule: &Rule,
        attentions: i128,
        attention: Dim,
        ty: TokenStream,
        config: TokenStream,
    ) -> Made {
        let Stack {
            dim,
            layers,
            feedforward,
            settings,
            ..
        } = self;
        let bias = i128::from(self.bias);
        let dense = Dim::of(2).mul(dim).mul(feedforward);
        let maps = Dim::of(4 * attentions).mul(dim).mul(dim).add(&dense);
        // Of each attention four, of the dense layers two, and of each norm one.
        let biases = Dim::of(4 * attentions + 1).mul(dim).add(feedforward);
        let norms = Dim::of((attentions + 1) * (1 + bias)).mul(dim);
        let each = maps.add(&Dim::of(bias).mul(&biases)).add(&norms);
        let last = Dim::of(i128::from(self.norm) * (1 + bias)).mul(dim);
        let multiply_adds = attention.add(&dense.mul(&self.length));
        let [size, count, number] = [dim, &self.heads, layers].map(Dim::usize_tokens);
        let init = quote! {
            ::kiln::layer::#config::new(#size, #count, #number) #settings .init(device)
        };
        Made::new(rule.input.clone(), ty, init)
            .params(each.mul(layers).add(&last))
            .multiply_adds(multiply_adds.mul(layers))
    }
}

/// The multiply-adds of an attention: the maps of the input and of what the heads give, those of
/// the memory, and what the heads do.
fn attention([length, dim]: [&Dim; 2], [elements, features]: [&Dim; 2]) -> Dim {
    let two = Dim::of(2);
    let input = two.mul(length).mul(dim).mul(dim);
    let memory = two.mul(elements).mul(features).mul(dim);
    let heads = two.mul(length).mul(elements).mul(dim);
    input.add(&memory).add(&heads)
}

/// Demands that the heads divide the features.
fn divides(rule: &mut Rule, dim: &Dim, heads: &Dim) {
    rule.require(
        Condition::Multiple(dim.clone(), heads.clone()),
        "heads",
        message![
            format!(
                "`{}` gives each head an equal part of the features: ",
                rule.args.name
            ),
            dim,
            " is no multiple of `heads`, ",
            heads,
        ],
    );
}

/// Length and features of the memory, if one was given; reported if it is no sequence.
fn memory(rule: &mut Rule) -> Option<[Dim; 2]> {
    let shape: &Shape = rule.values.first()?;
    match shape.0.as_deref() {
        Some([elements, features]) => Some([elements.clone(), features.clone()]),
        None => Some([Dim::UNKNOWN; 2]),
        Some(_) => {
            let message = format!("a memory is a sequence [elements, features], found {shape}");
            rule.checks.report.error(rule.args.pos("memory"), message);
            Some([Dim::UNKNOWN; 2])
        }
    }
}

/// `rotary: true`, or its base.
fn rotary(rule: &mut Rule) -> Option<TokenStream> {
    let expr = rule.args.value("rotary")?.expr();
    let base = match expr.map(|expr| &expr.node) {
        Some(Node::Bool(true)) => quote!(10000.0),
        Some(Node::Bool(false)) => return None,
        _ => rule.real("rotary", Range::Positive)?,
    };
    Some(quote!(.with_rotary(::core::option::Option::Some(#base))))
}
