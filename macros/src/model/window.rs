//! The window of a convolution or a pool: how it is read, what it needs of the image, and what size
//! comes out.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::dim::{Dim, Shape};
use super::layers::Rule;
use super::require::{Condition, LARGEST, message, shape_parts};
use crate::suggest;
use crate::syntax::{Value, ValueKind};

/// A window that slides over an image.
pub(super) struct Window {
    pub(super) kernel: [Dim; 2],
    pub(super) stride: [Dim; 2],
    pub(super) dilation: [Dim; 2],
    /// Before and behind, for each dimension.
    pub(super) padding: [[Dim; 2]; 2],
}

impl Window {
    /// Reads kernel, stride, padding and dilation; the stride is 1, or the kernel for pooling.
    pub(super) fn read(rule: &mut Rule, pooling: bool) -> Window {
        let kernel = rule.sizes("kernel", 1, None);
        let step = if pooling {
            kernel.clone()
        } else {
            [Dim::of(1), Dim::of(1)]
        };
        let stride = rule.sizes("stride", 1, Some(step));
        let dilation = rule.sizes("dilation", 1, Some([Dim::of(1), Dim::of(1)]));
        let word = rule.args.value("padding").and_then(word);
        let padding = if word.is_some_and(|word| word == "same") && !pooling {
            for stride in &stride {
                let one = rule.require(
                    Condition::Equal(stride.clone(), Dim::of(1)),
                    "padding",
                    message![
                        "`padding: same` keeps height and width, so it needs a stride of 1, found ",
                        stride,
                        "; write the padding as a number, such as `padding: 1`",
                    ],
                );
                if !one {
                    break;
                }
            }
            // The odd one out goes behind, as in PyTorch.
            [0, 1].map(|i: usize| {
                let total = dilation[i].mul(&kernel[i].sub(&Dim::of(1)));
                let before = total.floor_div(&Dim::of(2));
                [before.clone(), total.sub(&before)]
            })
        } else if let Some(word) = word.filter(|word| rule.checks.head.hyper(word).is_none()) {
            let (choices, hint) = if pooling {
                ("a number or `[height, width]`", String::new())
            } else {
                let hint = suggest::nearest(&word.to_string(), ["same"]);
                let hint = hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                ("a number, `[height, width]` or `same`", hint)
            };
            let message = format!("`padding` is {choices}, found `{word}`{hint}");
            rule.checks.report.error(word, message);
            [[Dim::UNKNOWN; 2], [Dim::UNKNOWN; 2]]
        } else {
            let zero = Some([Dim::of(0), Dim::of(0)]);
            rule.sizes("padding", 0, zero)
                .map(|padding| [padding.clone(), padding])
        };
        Window {
            kernel,
            stride,
            dilation,
            padding,
        }
    }

    /// Height and width of what comes out: `floor((in + padding - reach) / stride) + 1` with
    /// `reach = dilation * (kernel - 1) + 1`, which must not exceed the padded input.
    pub(super) fn output(&self, rule: &mut Rule, input: [&Dim; 2]) -> [Dim; 2] {
        let reach = [0, 1].map(|i: usize| {
            self.dilation[i]
                .mul(&self.kernel[i].sub(&Dim::of(1)))
                .add(&Dim::of(1))
        });
        let padded = [0, 1].map(|i: usize| {
            let [before, behind] = &self.padding[i];
            input[i].add(before).add(behind)
        });
        let room = [0, 1].map(|i: usize| padded[i].sub(&reach[i]));
        for i in 0..2 {
            // Of a square it is said once.
            if i == 1 && room[0] == room[1] {
                break;
            }
            let mut message = message![format!(
                "the kernel of `{}` is larger than its input ",
                rule.args.name
            )];
            message.extend(shape_parts(rule.input));
            message.push(": the kernel spans ".into());
            message.extend(shape_parts(&Shape::of(reach.to_vec())));
            message.push(", height and width with their padding are ".into());
            message.extend(shape_parts(&Shape::of(padded.to_vec())));
            message.push("; make the kernel smaller, or pad".into());
            let condition = Condition::Within(room[i].clone(), 0, LARGEST);
            // What does not fit leaves no size to go on with, and one mistake is enough.
            if !rule.require(condition, "kernel", message) {
                return [Dim::UNKNOWN; 2];
            }
        }
        [0, 1].map(|i: usize| room[i].floor_div(&self.stride[i]).add(&Dim::of(1)))
    }

    pub(super) fn padding_tokens(&self) -> TokenStream {
        let [[top, bottom], [left, right]] = self
            .padding
            .each_ref()
            .map(|pair| pair.each_ref().map(Dim::usize_tokens));
        quote!(::kiln::layer::PaddingConfig2d::Explicit(#top, #left, #bottom, #right))
    }
}

/// The word that the value is, if it is one.
fn word(value: &Value) -> Option<&Ident> {
    match &value.kind {
        ValueKind::Expr(expr) => expr.word(),
        ValueKind::List(_) => None,
    }
}
