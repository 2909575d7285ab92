//! The window of a convolution or a pool: how it is read, what it needs of the input, and what size
//! comes out.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{Rule, axes};
use crate::model::dim::{Dim, Shape};
use crate::model::require::{Condition, LARGEST, message, shape_parts};
use crate::suggest;
use crate::syntax::{Expr, Value};

/// A window that slides over the axes of an input.
pub struct Window {
    pub kernel: Vec<Dim>,
    pub stride: Vec<Dim>,
    pub dilation: Vec<Dim>,
    /// Before and behind, for each axis.
    pub padding: Vec<[Dim; 2]>,
}

impl Window {
    /// Reads kernel, stride, padding and dilation for `rank` axes; the stride is 1, or the kernel
    /// for pooling.
    pub fn read(rule: &mut Rule, rank: usize, pooling: bool) -> Window {
        let ones = vec![Dim::of(1); rank];
        let kernel = rule.sizes("kernel", 1, rank, None);
        let step = if pooling { &kernel } else { &ones };
        let stride = rule.sizes("stride", 1, rank, Some(step.clone()));
        let dilation = rule.sizes("dilation", 1, rank, Some(ones));
        let word = rule.args.value("padding").and_then(word);
        let padding = if word.is_some_and(|word| word == "same") && !pooling {
            for stride in &stride {
                let one = rule.require(
                    Condition::Equal(stride.clone(), Dim::of(1)),
                    "padding",
                    message![
                        format!(
                            "`padding: same` keeps {}, so it needs a stride of 1, found ",
                            axes(rank).join(" and ")
                        ),
                        stride,
                        "; write the padding as a number, such as `padding: 1`",
                    ],
                );
                if !one {
                    break;
                }
            }
            // The odd one out goes behind, as in PyTorch.
            let padding = kernel.iter().zip(&dilation).map(|(kernel, dilation)| {
                let total = dilation.mul(&kernel.sub(&Dim::of(1)));
                let before = total.floor_div(&Dim::of(2));
                [before.clone(), total.sub(&before)]
            });
            padding.collect()
        } else if let Some(word) = word.filter(|word| !rule.names_number(word)) {
            let list = axes(rank).join(", ");
            let (choices, hint) = if pooling {
                (format!("a number or `[{list}]`"), String::new())
            } else {
                let hint = suggest::nearest(&word.to_string(), ["same"]);
                let hint = hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                (format!("a number, `[{list}]` or `same`"), hint)
            };
            let message = format!("`padding` is {choices}, found `{word}`{hint}");
            rule.checks.report.error(word, message);
            vec![[Dim::UNKNOWN; 2]; rank]
        } else {
            let zero = Some(vec![Dim::of(0); rank]);
            let padding = rule.sizes("padding", 0, rank, zero);
            padding.into_iter().map(|dim| [dim.clone(), dim]).collect()
        };
        Window {
            kernel,
            stride,
            dilation,
            padding,
        }
    }

    /// The sizes that come out: `floor((in + padding - reach) / stride) + 1` with
    /// `reach = dilation * (kernel - 1) + 1`, which must not exceed the padded input.
    ///
    /// In `ceil_mode` it is the ceiling, but no window begins behind the input.
    pub fn output(&self, rule: &mut Rule, input: &[Dim], ceil_mode: bool) -> Vec<Dim> {
        let rank = input.len();
        let reach = self.dilation.iter().zip(&self.kernel);
        let reach: Vec<_> = reach
            .map(|(dilation, kernel)| dilation.mul(&kernel.sub(&Dim::of(1))).add(&Dim::of(1)))
            .collect();
        let padded = input.iter().zip(&self.padding);
        let padded: Vec<_> = padded
            .map(|(input, [before, behind])| input.add(before).add(behind))
            .collect();
        let room = padded.iter().zip(&reach);
        let room: Vec<_> = room.map(|(padded, reach)| padded.sub(reach)).collect();
        for (i, free) in room.iter().enumerate() {
            // Of a square it is said once.
            if room[..i].contains(free) {
                continue;
            }
            let mut message = message![format!(
                "the kernel of `{}` is larger than its input ",
                rule.args.name
            )];
            message.extend(shape_parts(rule.input));
            message.push(": the kernel spans ".into());
            message.extend(shape_parts(&Shape::of(reach.clone())));
            let (are, their) = if rank == 1 {
                ("is", "its")
            } else {
                ("are", "their")
            };
            let names = axes(rank).join(" and ");
            message.push(format!(", {names} with {their} padding {are} ").into());
            message.extend(shape_parts(&Shape::of(padded.clone())));
            message.push("; make the kernel smaller, or pad".into());
            let condition = Condition::Within(free.clone(), 0, LARGEST);
            // What does not fit leaves no size to go on with, and one mistake is enough.
            if !rule.require(condition, "kernel", message) {
                return vec![Dim::UNKNOWN; rank];
            }
        }
        let one = Dim::of(1);
        let size = |i: usize| {
            let stride = &self.stride[i];
            if !ceil_mode {
                return room[i].floor_div(stride).add(&one);
            }
            let last = stride.sub(&one);
            let windows = room[i].add(&last).floor_div(stride).add(&one);
            let begin = input[i].add(&self.padding[i][0]).add(&last);
            windows.smaller(&begin.floor_div(stride))
        };
        (0..rank).map(size).collect()
    }

    /// Burn's `PaddingConfig1d`, `PaddingConfig2d` or `PaddingConfig3d`.
    pub fn padding_tokens(&self) -> TokenStream {
        let rank = self.padding.len();
        let config = format_ident!("PaddingConfig{rank}d");
        // That of three axes is one number for both sides.
        let sides = if rank == 3 { 1 } else { 2 };
        let sides = (0..sides).flat_map(|side| self.padding.iter().map(move |pair| &pair[side]));
        let sides = sides.map(Dim::usize_tokens);
        quote!(::kiln::layer::#config::Explicit(#(#sides),*))
    }
}

/// What a layer takes for its axes: `[3, 3]`, and `3` for a single one.
pub fn per_axis(dims: &[Dim]) -> TokenStream {
    match dims {
        [dim] => dim.usize_tokens(),
        dims => list(dims),
    }
}

/// `[3, 3]`
pub fn list(dims: &[Dim]) -> TokenStream {
    let dims = dims.iter().map(Dim::usize_tokens);
    quote!([#(#dims),*])
}

/// The word that the value is, if it is one.
fn word(value: &Value) -> Option<&Ident> {
    value.expr().and_then(Expr::word)
}
