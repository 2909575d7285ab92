//! Pooling.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::window::{Window, list, per_axis};
use super::{Condition, Dim, Layer, Made, P, Rule, layer, message};
use crate::model::dim::Shape;

pub const LAYERS: &[Layer] = &[
    layer("max_pool1d", MAX, 1, |rule| max_pool(rule, 1)),
    layer("max_pool2d", MAX, 1, |rule| max_pool(rule, 2)),
    layer("avg_pool1d", AVG, 1, |rule| avg_pool(rule, 1)),
    layer("avg_pool2d", AVG, 1, |rule| avg_pool(rule, 2)),
    layer("adaptive_avg_pool1d", ADAPTIVE, 1, |rule| {
        adaptive_avg_pool(rule, 1)
    }),
    layer("adaptive_avg_pool2d", ADAPTIVE, 1, |rule| {
        adaptive_avg_pool(rule, 2)
    }),
    layer("adaptive_avg_pool3d", ADAPTIVE, 1, |rule| {
        adaptive_avg_pool(rule, 3)
    }),
    layer("adaptive_max_pool1d", ADAPTIVE, 1, |rule| {
        adaptive_max_pool(rule, 1)
    }),
    layer("adaptive_max_pool2d", ADAPTIVE, 1, |rule| {
        adaptive_max_pool(rule, 2)
    }),
    layer("adaptive_max_pool3d", ADAPTIVE, 1, |rule| {
        adaptive_max_pool(rule, 3)
    }),
    layer("global_avg_pool", &[], 0, |rule| {
        global_pool(rule, quote!(GlobalAvgPool))
    }),
    layer("global_max_pool", &[], 0, |rule| {
        global_pool(rule, quote!(GlobalMaxPool))
    }),
];

const MAX: &[P] = &[
    P::required("kernel"),
    P::optional("stride"),
    P::optional("padding"),
    P::optional("dilation"),
    P::optional("ceil_mode"),
];

const AVG: &[P] = &[
    P::required("kernel"),
    P::optional("stride"),
    P::optional("padding"),
    P::optional("count_include_pad"),
    P::optional("ceil_mode"),
];

const ADAPTIVE: &[P] = &[P::required("output_size")];

fn max_pool(rule: &mut Rule, rank: usize) -> Made {
    pool(rule, rank, "Max", |_, window| {
        let dilation = per_axis(&window.dilation);
        quote!(.with_dilation(#dilation))
    })
}

fn avg_pool(rule: &mut Rule, rank: usize) -> Made {
    pool(rule, rank, "Avg", |rule, _| {
        let include = rule.args.flag("count_include_pad", true);
        quote!(.with_count_include_pad(#include))
    })
}

/// A pooling window: it strides by its own size, and is padded by at most half of it, or a window
/// would hold nothing but padding.
fn pool(
    rule: &mut Rule,
    rank: usize,
    kind: &str,
    own: fn(&mut Rule, &Window) -> TokenStream,
) -> Made {
    let window = Window::read(rule, rank, true);
    let own = own(rule, &window);
    let ceil_mode = rule.args.flag("ceil_mode", false);
    for (kernel, [before, _]) in window.kernel.iter().zip(&window.padding) {
        let spare = kernel.sub(&before.mul(&Dim::of(2)));
        let fits = rule.require(
            Condition::Within(spare, 0, i128::MAX),
            "padding",
            message![
                format!(
                    "`{}` may be padded by at most half its kernel: padding ",
                    rule.args.name
                ),
                before,
                " for a kernel of ",
                kernel,
            ],
        );
        if !fits {
            break;
        }
    }
    let Some((channels, sizes)) = rule.image(rank) else {
        return Made::unknown();
    };
    let sizes = window.output(rule, &sizes, ceil_mode);
    let (kernel, stride) = (per_axis(&window.kernel), per_axis(&window.stride));
    let with_stride = format_ident!("with_stride{}", if rank == 1 { "" } else { "s" });
    let padding = window.padding_tokens();
    let with_ceil_mode = ceil_mode.then(|| quote!(.with_ceil_mode(true)));
    let ty = format_ident!("{kind}Pool{rank}d");
    let config = format_ident!("{kind}Pool{rank}dConfig");
    let init = quote! {
        ::core::convert::Into::into(::kiln::layer::#config::new(#kernel)
            .#with_stride(#stride)
            .with_padding(#padding)
            #own #with_ceil_mode
            .init())
    };
    let output = Shape::of([vec![channels], sizes].concat());
    Made::new(output, quote!(#ty), init)
}

fn adaptive_avg_pool(rule: &mut Rule, rank: usize) -> Made {
    let sizes = rule.sizes("output_size", 1, rank, None);
    let tokens = per_axis(&sizes);
    let ty = format_ident!("AdaptiveAvgPool{rank}d");
    let config = format_ident!("AdaptiveAvgPool{rank}dConfig");
    let init = quote!(::kiln::layer::#config::new(#tokens).init());
    adaptive(rule, sizes, quote!(#ty), init)
}

fn adaptive_max_pool(rule: &mut Rule, rank: usize) -> Made {
    let sizes = rule.sizes("output_size", 1, rank, None);
    let tokens = list(&sizes);
    let init = quote!(::kiln::layer::AdaptiveMaxPool::new(#tokens));
    adaptive(rule, sizes, quote!(AdaptiveMaxPool), init)
}

fn adaptive(rule: &mut Rule, sizes: Vec<Dim>, ty: TokenStream, init: TokenStream) -> Made {
    let Some((channels, _)) = rule.image(sizes.len()) else {
        return Made::unknown();
    };
    Made::new(Shape::of([vec![channels], sizes].concat()), ty, init)
}

fn global_pool(rule: &mut Rule, layer: TokenStream) -> Made {
    let output = match rule.input.0.as_deref() {
        Some([channels, _, ..]) => vec![channels.clone()],
        None => vec![Dim::UNKNOWN],
        Some(_) => {
            let message = format!(
                "`{}` needs channels and something to pool, such as [channels, height, width], \
                 found {}",
                rule.args.name, rule.input,
            );
            rule.checks.report.error(rule.args.name, message);
            return Made::unknown();
        }
    };
    Made::inline(Shape::of(output), layer)
}
