//! Pooling.

use quote::quote;

use super::window::{Window, list};
use super::{Condition, Dim, Layer, Made, P, Rule, layer, message};
use crate::model::dim::Shape;

pub const LAYERS: &[Layer] = &[
    layer(
        "max_pool2d",
        &[
            P::required("kernel"),
            P::optional("stride"),
            P::optional("padding"),
        ],
        1,
        max_pool2d,
    ),
    layer(
        "avg_pool2d",
        &[
            P::required("kernel"),
            P::optional("stride"),
            P::optional("padding"),
            P::optional("count_include_pad"),
        ],
        1,
        avg_pool2d,
    ),
    layer("global_avg_pool", &[], 0, global_avg_pool),
];

fn max_pool2d(rule: &mut Rule) -> Made {
    let (window, output) = pool(rule);
    let (kernel, stride) = (list(&window.kernel), list(&window.stride));
    let padding = window.padding_2d();
    let init = quote! {
        ::core::convert::Into::into(::kiln::layer::MaxPool2dConfig::new(#kernel)
            .with_strides(#stride)
            .with_padding(#padding)
            .init())
    };
    Made::new(output, quote!(MaxPool2d), init)
}

fn avg_pool2d(rule: &mut Rule) -> Made {
    let include = rule.args.flag("count_include_pad", true);
    let (window, output) = pool(rule);
    let (kernel, stride) = (list(&window.kernel), list(&window.stride));
    let padding = window.padding_2d();
    let init = quote! {
        ::core::convert::Into::into(::kiln::layer::AvgPool2dConfig::new(#kernel)
            .with_strides(#stride)
            .with_padding(#padding)
            .with_count_include_pad(#include)
            .init())
    };
    Made::new(output, quote!(AvgPool2d), init)
}

/// A pooling window: it strides by its own size, and is padded by at most half of it, or a window
/// would hold nothing but padding.
fn pool(rule: &mut Rule) -> (Window, Shape) {
    let window = Window::read(rule, 2, true);
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
    let Some((channels, sizes)) = rule.image(2) else {
        return (window, Shape::UNKNOWN);
    };
    let sizes = window.output(rule, &sizes);
    let output = Shape::of([vec![channels], sizes].concat());
    (window, output)
}

fn global_avg_pool(rule: &mut Rule) -> Made {
    let output = match rule.image(2) {
        Some((channels, _)) => Shape::of(vec![channels]),
        None => Shape::UNKNOWN,
    };
    Made::inline(output, quote!(GlobalAvgPool))
}
