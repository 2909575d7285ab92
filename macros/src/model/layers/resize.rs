//! What gives signals, images and volumes another size.

use quote::quote;

use super::window::{Window, list, per_axis};
use super::{Condition, Dim, Layer, Made, P, Range, Rule, layer, message};
use crate::model::dim::Shape;

pub const LAYERS: &[Layer] = &[
    layer(
        "pad",
        &[
            P::required("amounts"),
            P::optional("mode"),
            P::optional("value"),
        ],
        1,
        pad,
    ),
    layer(
        "interpolate",
        &[
            P::optional("size"),
            P::optional("scale"),
            P::optional("mode"),
            P::optional("align_corners"),
        ],
        0,
        interpolate,
    ),
    layer("pixel_shuffle", &[P::required("factor")], 1, pixel_shuffle),
    layer(
        "pixel_unshuffle",
        &[P::required("factor")],
        1,
        pixel_unshuffle,
    ),
    layer(
        "unfold2d",
        &[
            P::required("kernel"),
            P::optional("stride"),
            P::optional("padding"),
            P::optional("dilation"),
        ],
        1,
        unfold2d,
    ),
];

/// The amounts are those of PyTorch: before and behind the last dimension, then the one before it.
fn pad(rule: &mut Rule) -> Made {
    let mode = rule
        .args
        .choice("mode", &["constant", "reflect", "replicate", "circular"]);
    let value = rule.real("value", Range::Finite);
    if value.is_some() && mode.is_some_and(|mode| mode != "constant") {
        let message = "only `mode: constant` puts a `value`; leave it out";
        rule.checks.report.error(rule.args.pos("value"), message);
    }
    let Some(exprs) = rule.args.list("amounts") else {
        return Made::unknown();
    };
    let amounts = exprs
        .into_iter()
        .map(|expr| rule.at_least("amounts", expr, 0));
    let amounts: Vec<_> = amounts.collect();
    let Some(mut dims) = rule.input.0.clone() else {
        return Made::unknown();
    };
    let (pairs, []) = amounts.as_chunks::<2>() else {
        return uneven(rule, amounts.len());
    };
    if pairs.is_empty() || pairs.len() > dims.len() {
        return uneven(rule, amounts.len());
    }
    let limit = match mode {
        Some("reflect") => Some((1, "less than there is to mirror")),
        Some("circular") => Some((0, "no more than there is to repeat")),
        _ => None,
    };
    for (pair, dim) in pairs.iter().zip(dims.iter_mut().rev()) {
        for amount in pair {
            let Some((spare, most)) = limit else { break };
            let message = message![
                format!("`pad` puts {most}: "),
                amount,
                " for a dimension of ",
                &*dim,
            ];
            let fits = Condition::Within(dim.sub(amount), spare, i128::MAX);
            if !rule.require(fits, "amounts", message) {
                return Made::unknown();
            }
        }
        *dim = dim.add(&pair[0]).add(&pair[1]);
        rule.limit(dim, rule.args.pos("amounts"), "a padded dimension");
    }
    let idle = amounts.iter().all(|amount| *amount == Dim::of(0));
    let pairs = pairs.iter().rev().map(|pair| list(pair));
    let mode = match (mode, value) {
        (Some("reflect"), _) => quote!(Reflect),
        (Some("replicate"), _) => quote!(Replicate),
        (Some("circular"), _) => quote!(Circular),
        (_, Some(value)) => quote!(Constant((#value) as ::core::primitive::f32)),
        (_, None) => quote!(Constant(0.0)),
    };
    let init = quote! {
        ::kiln::layer::PadConfig::new(::std::vec![#(#pairs),*])
            .with_mode(::kiln::layer::PadMode::#mode)
            .init()
    };
    Made::new(Shape::of(dims), quote!(Pad), init).idle(idle, "it puts nothing")
}

fn uneven(rule: &mut Rule, found: usize) -> Made {
    let message = format!(
        "`pad` takes two amounts, before and behind, for each dimension of {} from the last one on: \
         [left, right] or [left, right, top, bottom]; found {found}",
        rule.input,
    );
    rule.checks.report.error(rule.args.pos("amounts"), message);
    Made::unknown()
}

fn interpolate(rule: &mut Rule) -> Made {
    // Of an input that is no image `image` says so.
    let rank = rule.input.0.as_ref().map_or(2, |dims| dims.len());
    let rank = rank.saturating_sub(1).clamp(1, 3);
    let modes: &[_] = match rank {
        1 => &["nearest", "linear"],
        2 => &["nearest", "bilinear", "bicubic"],
        _ => &["nearest", "trilinear"],
    };
    let mode = rule.args.choice("mode", modes);
    let align_corners = rule.args.flag("align_corners", false);
    if align_corners
        && rule
            .args
            .value("mode")
            .is_none_or(|_| mode == Some("nearest"))
    {
        let message = "`align_corners` means nothing to `mode: nearest`; leave it out";
        rule.checks
            .report
            .error(rule.args.pos("align_corners"), message);
    }
    let (to, by) = (rule.args.value("size"), rule.args.value("scale"));
    if to.is_some() == by.is_some() {
        let found = if to.is_some() { "both" } else { "none" };
        let message = format!("`interpolate` needs either `size` or `scale`, found {found}");
        rule.checks.report.error(rule.args.pos, message);
    }
    let Some((channels, old)) = rule.image(rank) else {
        return Made::unknown();
    };
    let (sizes, tokens) = if by.is_some() {
        let scale = rule.sizes("scale", 1, rank, None);
        let tokens = list(&scale);
        let sizes = old.iter().zip(&scale).map(|(old, scale)| old.mul(scale));
        (sizes.collect(), quote!(By(::std::vec!#tokens)))
    } else {
        let sizes = rule.sizes("size", 1, rank, None);
        let tokens = list(&sizes);
        (sizes, quote!(To(::std::vec!#tokens)))
    };
    for size in &sizes {
        rule.limit(size, rule.args.pos, "an interpolated dimension");
    }
    let idle = sizes == old;
    let mode = match mode {
        Some("linear" | "bilinear" | "trilinear") => quote!(Linear),
        Some("bicubic") => quote!(Cubic),
        _ => quote!(Nearest),
    };
    let align_corners = align_corners.then(|| quote!(.with_align_corners(true)));
    let init = quote! {
        ::kiln::layer::InterpolateConfig::new(::kiln::layer::InterpolateSize::#tokens)
            .with_mode(::kiln::layer::InterpolateMode::#mode)
            #align_corners
            .init()
    };
    let output = Shape::of([vec![channels], sizes].concat());
    Made::new(output, quote!(Interpolate), init).idle(idle, "it keeps the size")
}

fn pixel_shuffle(rule: &mut Rule) -> Made {
    let factor = rule.size("factor", None);
    let Some((channels, sizes)) = rule.image(2) else {
        return Made::unknown();
    };
    let area = factor.mul(&factor);
    let message = message![
        "`pixel_shuffle` makes each channel of `factor * factor` of them: ",
        &channels,
        " is no multiple of ",
        &area,
    ];
    let whole = Condition::Multiple(channels.clone(), area.clone());
    rule.require(whole, "factor", message);
    let sizes = sizes.iter().map(|size| size.mul(&factor)).collect();
    let output = Shape::of([vec![channels.floor_div(&area)], sizes].concat());
    let factor = factor.usize_tokens();
    let init = quote!(::kiln::layer::PixelShuffleConfig::new(#factor).init());
    Made::new(output, quote!(PixelShuffle), init)
}

fn pixel_unshuffle(rule: &mut Rule) -> Made {
    let factor = rule.size("factor", None);
    let Some((channels, sizes)) = rule.image(2) else {
        return Made::unknown();
    };
    for size in &sizes {
        let message = message![
            "`pixel_unshuffle` takes `factor` rows and columns at a time: ",
            size,
            " is no multiple of ",
            &factor,
        ];
        let whole = Condition::Multiple(size.clone(), factor.clone());
        if !rule.require(whole, "factor", message) {
            break;
        }
    }
    let channels = channels.mul(&factor).mul(&factor);
    let sizes = sizes.iter().map(|size| size.floor_div(&factor)).collect();
    let output = Shape::of([vec![channels], sizes].concat());
    let factor = factor.usize_tokens();
    let init = quote!(::kiln::layer::PixelUnshuffleConfig::new(#factor).init());
    Made::new(output, quote!(PixelUnshuffle), init)
}

/// Each window is a column: `[channels * kernel height * kernel width, windows]`.
fn unfold2d(rule: &mut Rule) -> Made {
    let all = |size| Some(vec![Dim::of(size); 2]);
    let kernel = rule.sizes("kernel", 1, 2, None);
    let stride = rule.sizes("stride", 1, 2, all(1));
    let padding = rule.sizes("padding", 0, 2, all(0));
    let dilation = rule.sizes("dilation", 1, 2, all(1));
    let [k, s, p, d] = [&kernel, &stride, &padding, &dilation].map(|sizes| per_axis(sizes));
    let padding = padding.into_iter().map(|dim| [dim.clone(), dim]).collect();
    let window = Window {
        kernel,
        stride,
        dilation,
        padding,
    };
    let Some((channels, sizes)) = rule.image(2) else {
        return Made::unknown();
    };
    let windows = Dim::product(&window.output(rule, &sizes, false));
    let column = channels.mul(&Dim::product(&window.kernel));
    for dim in [&column, &windows] {
        rule.limit(dim, rule.args.pos, "an unfolded dimension");
    }
    let init = quote! {
        ::kiln::layer::Unfold4dConfig::new(#k)
            .with_stride(#s)
            .with_padding(#p)
            .with_dilation(#d)
            .init()
    };
    Made::new(Shape::of(vec![column, windows]), quote!(Unfold4d), init)
}
