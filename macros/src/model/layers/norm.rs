//! Normalisation.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Dim, Layer, Made, P, Range, Rule, layer};
use crate::model::require::{Condition, message};

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
    layer(
        "group_norm",
        &[
            P::required("groups"),
            P::optional("epsilon"),
            P::optional("affine"),
        ],
        1,
        group_norm,
    ),
    layer(
        "instance_norm",
        &[P::optional("epsilon"), P::optional("affine")],
        0,
        instance_norm,
    ),
    layer("rms_norm", &[P::optional("epsilon")], 0, rms_norm),
    layer(
        "local_response_norm",
        &[
            P::required("size"),
            P::optional("alpha"),
            P::optional("beta"),
            P::optional("k"),
        ],
        1,
        local_response_norm,
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

fn group_norm(rule: &mut Rule) -> Made {
    let groups = rule.size("groups", None);
    let channels = rule.dim(0);
    let divides = rule.require(
        Condition::Multiple(channels.clone(), groups.clone()),
        "groups",
        message![
            "`group_norm` splits its channels into groups of equal size: ",
            &channels,
            " is no multiple of `groups`, ",
            &groups,
        ],
    );
    if divides {
        several(rule, &groups, "group");
    }
    let groups = groups.usize_tokens();
    by_channel(rule, "GroupNorm", quote!(#groups,), true)
}

fn instance_norm(rule: &mut Rule) -> Made {
    several(rule, &rule.dim(0), "channel");
    by_channel(rule, "InstanceNorm", quote!(), false)
}

/// Demands more than one number in each of `parts`: a single one is its own mean.
fn several(rule: &mut Rule, parts: &Dim, part: &str) {
    let each = rule.numbers().floor_div(parts);
    let fewest = Condition::Within(each.clone(), 2, i128::MAX);
    let message = message![
        format!(
            "`{}` needs at least two numbers in each {part}, or it gives zeros: found ",
            rule.args.name
        ),
        &each,
    ];
    rule.checks
        .require(fewest, rule.args.pos, rule.place, message);
}

/// A normalisation with a gamma and a beta for each channel, if at all.
fn by_channel(rule: &mut Rule, layer: &str, groups: TokenStream, affine: bool) -> Made {
    let epsilon = rule
        .real("epsilon", Range::Positive)
        .map(|value| quote!(.with_epsilon(#value)));
    let affine = rule.args.flag("affine", affine);
    let mut channels = rule.dim(0);
    if let Some(name) = channels.anys().first() {
        let message = format!(
            "`{}` is made for a number of channels, and `{name}` is known only when a tensor arrives",
            rule.args.name,
        );
        rule.checks.report.error(rule.args.name, message);
        channels = Dim::UNKNOWN;
    }
    let size = channels.usize_tokens();
    let (ty, config) = (format_ident!("{layer}"), format_ident!("{layer}Config"));
    let init = quote! {
        ::kiln::layer::#config::new(#groups #size) #epsilon .with_affine(#affine).init(device)
    };
    let each = if affine { 2 } else { 0 };
    Made::new(rule.input.clone(), quote!(#ty), init).params(channels.mul(&Dim::of(each)))
}

fn rms_norm(rule: &mut Rule) -> Made {
    let epsilon = rule
        .real("epsilon", Range::Positive)
        .map(|value| quote!(.with_epsilon(#value)));
    let features = rule.last();
    let size = features.usize_tokens();
    let init = quote!(::kiln::layer::RmsNormConfig::new(#size) #epsilon .init(device));
    Made::new(rule.input.clone(), quote!(RmsNorm), init).params(features)
}

fn local_response_norm(rule: &mut Rule) -> Made {
    let size = rule.size("size", None).usize_tokens();
    let ranges = [
        ("alpha", Range::NotNegative),
        ("beta", Range::Finite),
        ("k", Range::Positive),
    ];
    let with = ranges.map(|(arg, range)| {
        let with = format_ident!("with_{arg}");
        rule.real(arg, range).map(|value| quote!(.#with(#value)))
    });
    let init = quote!(::kiln::layer::LocalResponseNormConfig::new(#size) #(#with)* .init());
    Made::new(rule.input.clone(), quote!(LocalResponseNorm), init)
}
