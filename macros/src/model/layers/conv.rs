//! Convolutions and their transposes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::window::{Window, per_axis};
use super::{Condition, Dim, LARGEST, Layer, Made, P, Rule, layer, message};
use crate::model::dim::Shape;

pub const LAYERS: &[Layer] = &[
    layer("conv1d", CONV, 1, |rule| conv(rule, 1)),
    layer("conv2d", CONV, 1, |rule| conv(rule, 2)),
    layer("conv3d", CONV, 1, |rule| conv(rule, 3)),
    layer("conv_transpose1d", TRANSPOSE, 1, |rule| transpose(rule, 1)),
    layer("conv_transpose2d", TRANSPOSE, 1, |rule| transpose(rule, 2)),
    layer("conv_transpose3d", TRANSPOSE, 1, |rule| transpose(rule, 3)),
];

const CONV: &[P] = &[
    P::required("out"),
    P::required("kernel"),
    P::optional("stride"),
    P::optional("padding"),
    P::optional("dilation"),
    P::optional("groups"),
    P::optional("bias"),
];

const TRANSPOSE: &[P] = &[
    P::required("out"),
    P::required("kernel"),
    P::optional("stride"),
    P::optional("padding"),
    P::optional("output_padding"),
    P::optional("dilation"),
    P::optional("groups"),
    P::optional("bias"),
];

fn conv(rule: &mut Rule, rank: usize) -> Made {
    let out = rule.size("out", None);
    let window = Window::read(rule, rank, false);
    let groups = Groups::read(rule);
    let Some((channels, sizes)) = groups.image(rule, rank, &out) else {
        return Made::unknown();
    };
    if rank == 3 {
        even(rule, &window);
    }
    let sizes = window.output(rule, &sizes, false);
    let weights = out
        .mul(&channels.floor_div(&groups.groups))
        .mul(&Dim::product(&window.kernel));
    let (from, to) = (channels.usize_tokens(), out.usize_tokens());
    let channels = match rank {
        1 => quote!(#from, #to),
        _ => quote!([#from, #to]),
    };
    let [kernel, stride, dilation] =
        [&window.kernel, &window.stride, &window.dilation].map(|sizes| per_axis(sizes));
    let padding = window.padding_tokens();
    let settings = groups.tokens();
    let (ty, config) = (
        format_ident!("Conv{rank}d"),
        format_ident!("Conv{rank}dConfig"),
    );
    let init = made(
        rank,
        quote! {
            ::kiln::layer::#config::new(#channels, #kernel)
                .with_stride(#stride)
                .with_dilation(#dilation)
                .with_padding(#padding)
                #settings
                .init(device)
        },
    );
    let multiply_adds = weights.mul(&Dim::product(&sizes));
    let output = Shape::of([vec![out.clone()], sizes].concat());
    Made::new(output, quote!(#ty), init)
        .params(groups.params(weights, &out))
        .multiply_adds(multiply_adds)
}

/// Burn pads volumes by as much before as behind.
fn even(rule: &mut Rule, window: &Window) {
    for [before, behind] in &window.padding {
        let message = message![
            format!("`padding: same` of `{}` has ", rule.args.name),
            before,
            " to put before and ",
            behind,
            " behind, which must be as much; make the kernel odd, or `pad` before it",
        ];
        let same = Condition::Equal(before.clone(), behind.clone());
        if !rule.require(same, "padding", message) {
            break;
        }
    }
}

fn transpose(rule: &mut Rule, rank: usize) -> Made {
    let out = rule.size("out", None);
    let all = |size| Some(vec![Dim::of(size); rank]);
    let kernel = rule.sizes("kernel", 1, rank, None);
    let stride = rule.sizes("stride", 1, rank, all(1));
    let padding = rule.sizes("padding", 0, rank, all(0));
    let output_padding = rule.sizes("output_padding", 0, rank, all(0));
    let dilation = rule.sizes("dilation", 1, rank, all(1));
    let groups = Groups::read(rule);
    let Some((channels, input)) = groups.image(rule, rank, &out) else {
        return Made::unknown();
    };
    for i in 0..rank {
        let extra = &output_padding[i];
        let spare = stride[i].larger(&dilation[i]).sub(extra);
        let message = message![
            format!(
                "`{}` needs `output_padding` below its stride or its dilation: ",
                rule.args.name
            ),
            extra,
            " for a stride of ",
            &stride[i],
            " and a dilation of ",
            &dilation[i],
        ];
        if !rule.require(
            Condition::Within(spare, 1, i128::MAX),
            "output_padding",
            message,
        ) {
            break;
        }
    }
    let one = Dim::of(1);
    let size = |i: usize| {
        let spread = input[i].sub(&one).mul(&stride[i]);
        let reach = dilation[i].mul(&kernel[i].sub(&one)).add(&one);
        let whole = spread.add(&reach).add(&output_padding[i]);
        whole.sub(&padding[i]).sub(&padding[i])
    };
    let mut sizes: Vec<_> = (0..rank).map(size).collect();
    for size in &sizes {
        let message = message![
            format!(
                "`{}` gives sizes between 1 and {LARGEST}, found ",
                rule.args.name
            ),
            size,
            "; `padding` takes away from both sides",
        ];
        if !rule.require(
            Condition::Within(size.clone(), 1, LARGEST),
            "padding",
            message,
        ) {
            sizes = vec![Dim::UNKNOWN; rank];
            break;
        }
    }
    let weights = channels
        .mul(&out.floor_div(&groups.groups))
        .mul(&Dim::product(&kernel));
    let (from, to) = (channels.usize_tokens(), out.usize_tokens());
    let [kernel, stride, padding, output_padding, dilation] =
        [&kernel, &stride, &padding, &output_padding, &dilation].map(|sizes| per_axis(sizes));
    let settings = groups.tokens();
    let ty = format_ident!("ConvTranspose{rank}d");
    let config = format_ident!("ConvTranspose{rank}dConfig");
    let init = made(
        rank,
        quote! {
            ::kiln::layer::#config::new([#from, #to], #kernel)
                .with_stride(#stride)
                .with_padding(#padding)
                .with_padding_out(#output_padding)
                .with_dilation(#dilation)
                #settings
                .init(device)
        },
    );
    let multiply_adds = weights.mul(&Dim::product(&input));
    let output = Shape::of([vec![out.clone()], sizes].concat());
    Made::new(output, quote!(#ty), init)
        .params(groups.params(weights, &out))
        .multiply_adds(multiply_adds)
}

/// What every convolution has besides its window.
struct Groups {
    groups: Dim,
    bias: bool,
}

impl Groups {
    fn read(rule: &mut Rule) -> Groups {
        Groups {
            groups: rule.size("groups", Some(1)),
            bias: rule.args.flag("bias", true),
        }
    }

    /// The input's channels and sizes; the groups must divide the channels of both sides.
    fn image(&self, rule: &mut Rule, rank: usize, out: &Dim) -> Option<(Dim, Vec<Dim>)> {
        let (channels, sizes) = rule.image(rank)?;
        for (what, dim) in [("input channels", &channels), ("output channels", out)] {
            let divides = rule.require(
                Condition::Multiple(dim.clone(), self.groups.clone()),
                "groups",
                message![
                    format!(
                        "`{}` splits its {what} into groups of equal size: ",
                        rule.args.name
                    ),
                    dim,
                    " is no multiple of `groups`, ",
                    &self.groups,
                ],
            );
            if !divides {
                break;
            }
        }
        Some((channels, sizes))
    }

    fn params(&self, weights: Dim, out: &Dim) -> Dim {
        if self.bias { weights.add(out) } else { weights }
    }

    fn tokens(&self) -> TokenStream {
        let groups = (self.groups != Dim::of(1)).then(|| {
            let groups = self.groups.usize_tokens();
            quote!(.with_groups(#groups))
        });
        let bias = (!self.bias).then(|| quote!(.with_bias(false)));
        quote!(#groups #bias)
    }
}

/// Burn's layer, in Kiln's that holds it where there is one.
fn made(rank: usize, init: TokenStream) -> TokenStream {
    match rank {
        3 => init,
        _ => quote!(::core::convert::Into::into(#init)),
    }
}
