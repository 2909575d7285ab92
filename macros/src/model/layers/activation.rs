//! Activations.

use quote::{format_ident, quote};

use super::{Dim, Layer, Made, P, Range, Rule, layer};
use crate::model::require::{Condition, message};
use crate::syntax::{Expr, Node, Number, Op};

pub const LAYERS: &[Layer] = &[
    layer("relu", &[], 0, |rule| rule.pointwise(quote!(Relu))),
    layer("relu6", &[], 0, |rule| rule.pointwise(quote!(Relu6))),
    layer("leaky_relu", &[P::optional("negative_slope")], 0, |rule| {
        rule.settings("LeakyRelu", &[("negative_slope", Range::Finite)])
    }),
    layer(
        "prelu",
        &[P::optional("parameters"), P::optional("slope")],
        0,
        prelu,
    ),
    layer(
        "rrelu",
        &[P::optional("lower"), P::optional("upper")],
        0,
        |rule| {
            rule.ordered("lower", 1.0 / 8.0, "upper", 1.0 / 3.0, Range::NotNegative);
            rule.settings(
                "RRelu",
                &[("lower", Range::Finite), ("upper", Range::Finite)],
            )
        },
    ),
    layer("thresholded_relu", &[P::optional("alpha")], 0, |rule| {
        rule.settings("ThresholdedRelu", &[("alpha", Range::Finite)])
    }),
    layer(
        "threshold",
        &[P::required("threshold"), P::required("value")],
        2,
        threshold,
    ),
    layer("elu", &[P::optional("alpha")], 0, |rule| {
        rule.settings("Elu", &[("alpha", Range::Finite)])
    }),
    layer("celu", &[P::optional("alpha")], 0, |rule| {
        rule.settings("Celu", &[("alpha", Range::Positive)])
    }),
    layer("selu", &[], 0, |rule| rule.pointwise(quote!(Selu))),
    layer("gelu", &[P::optional("approximate")], 0, gelu),
    layer("silu", &[], 0, |rule| rule.pointwise(quote!(SiLU))),
    layer("mish", &[], 0, |rule| rule.pointwise(quote!(Mish))),
    layer(
        "softplus",
        &[P::optional("beta"), P::optional("threshold")],
        0,
        |rule| {
            let ranges = [("beta", Range::Positive), ("threshold", Range::Finite)];
            rule.settings("Softplus", &ranges)
        },
    ),
    layer("tanh", &[], 0, |rule| rule.pointwise(quote!(Tanh))),
    layer(
        "hardtanh",
        &[P::optional("min"), P::optional("max")],
        0,
        |rule| {
            rule.ordered("min", -1.0, "max", 1.0, Range::Positive);
            rule.settings(
                "Hardtanh",
                &[("min", Range::Finite), ("max", Range::Finite)],
            )
        },
    ),
    layer("tanhshrink", &[], 0, |rule| {
        rule.pointwise(quote!(Tanhshrink))
    }),
    layer("softsign", &[], 0, |rule| rule.pointwise(quote!(Softsign))),
    layer("softshrink", &[P::optional("lambda")], 0, |rule| {
        rule.settings("SoftShrink", &[("lambda", Range::NotNegative)])
    }),
    layer("hardshrink", &[P::optional("lambda")], 0, |rule| {
        rule.settings("HardShrink", &[("lambda", Range::NotNegative)])
    }),
    layer("sigmoid", &[], 0, |rule| rule.pointwise(quote!(Sigmoid))),
    layer("logsigmoid", &[], 0, |rule| {
        rule.pointwise(quote!(LogSigmoid))
    }),
    layer("hardsigmoid", &[], 0, |rule| {
        rule.pointwise(quote!(Hardsigmoid))
    }),
    layer("hardswish", &[], 0, |rule| {
        rule.pointwise(quote!(Hardswish))
    }),
    layer("softmax", &[], 0, |rule| rule.pointwise(quote!(Softmax))),
    layer("log_softmax", &[], 0, |rule| {
        rule.pointwise(quote!(LogSoftmax))
    }),
    layer("softmin", &[], 0, |rule| rule.pointwise(quote!(Softmin))),
    layer("glu", &[P::optional("dim")], 0, glu),
    layer(
        "swiglu",
        &[P::required("out"), P::optional("bias")],
        1,
        swiglu,
    ),
];

impl Rule<'_, '_> {
    /// A layer that keeps the shape, with real numbers as its settings.
    fn settings(&mut self, layer: &str, ranges: &[(&str, Range)]) -> Made {
        let (ty, config) = (format_ident!("{layer}"), format_ident!("{layer}Config"));
        let with = ranges.iter().filter_map(|(arg, range)| {
            let (with, value) = (format_ident!("with_{arg}"), self.real(arg, *range)?);
            Some(quote!(.#with(#value)))
        });
        let with: Vec<_> = with.collect();
        let init = quote!(::kiln::layer::#config::new() #(#with)* .init());
        Made::new(self.input.clone(), quote!(#ty), init)
    }

    /// Demands that `high - low` is in `range`.
    fn ordered(&mut self, low: &str, least: f64, high: &str, most: f64, range: Range) {
        let pos = self.args.pos(high);
        let given = |arg: &str, default: f64| match self.args.value(arg) {
            Some(value) => value.expr().cloned(),
            None => Some(Expr {
                node: Node::Float(default),
                pos,
            }),
        };
        let (Some(least), Some(most)) = (given(low, least), given(high, most)) else {
            return;
        };
        let head = self.checks.head;
        let known = |expr: &Expr| {
            let names = expr.names();
            let known = |name: &String| {
                head.hypers.iter().any(|hyper| hyper.name == name)
                    || head.locals.borrow().iter().any(|local| local.name == name)
            };
            names.iter().all(known)
        };
        if !known(&least) || !known(&most) {
            return; // Reported where it is read.
        }
        let node = Node::Binary(Op::Sub, Box::new(most), Box::new(least));
        let difference = Condition::Real(Expr { node, pos }, range);
        let text = format!(
            "`{}` needs `{high} - {low}` {}",
            self.args.name,
            range.described()
        );
        self.require(difference, high, message![text]);
    }
}

fn threshold(rule: &mut Rule) -> Made {
    let [threshold, value] = ["threshold", "value"].map(|arg| rule.real(arg, Range::Finite));
    let init = quote!(::kiln::layer::ThresholdConfig::new(#threshold, #value).init());
    Made::new(rule.input.clone(), quote!(Threshold), init)
}

fn gelu(rule: &mut Rule) -> Made {
    match rule.args.choice("approximate", &["none", "tanh"]) {
        Some("tanh") => rule.pointwise(quote!(GeluTanh)),
        _ => rule.pointwise(quote!(Gelu)),
    }
}

fn prelu(rule: &mut Rule) -> Made {
    let parameters = match rule.args.choice("parameters", &["one", "channels"]) {
        Some("channels") => rule.dim(0),
        _ => Dim::of(1),
    };
    let slope = rule
        .real("slope", Range::Finite)
        .map(|slope| quote!(.with_slope(#slope)));
    let size = parameters.usize_tokens();
    let init = quote! {
        ::kiln::layer::PReluConfig::new().with_parameters(#size) #slope .init(device)
    };
    Made::new(rule.input.clone(), quote!(PRelu), init).params(parameters)
}

/// The first half times the sigmoid of the second.
fn glu(rule: &mut Rule) -> Made {
    let mut output = rule.input.clone();
    let last = output
        .0
        .as_ref()
        .map_or(0, |dims| dims.len().saturating_sub(1));
    let mut dim = last;
    if let Some(expr) = rule.args.int("dim") {
        match expr.literal() {
            Some(Number::Int(given)) if (0..=last as i128).contains(&given) => dim = given as usize,
            _ if output.0.is_none() => {}
            _ => {
                let message = format!(
                    "`dim` of `glu` is a plain number from 0, the first dimension of an example, to \
                     {last}, the last one of {output}",
                );
                rule.checks.report.error(expr.pos, message);
            }
        }
    }
    let two = Dim::of(2);
    let size = rule.dim(dim);
    let message = message![
        "`glu` splits a dimension into two halves: ",
        &size,
        " is odd"
    ];
    let halves = rule.require(
        Condition::Multiple(size.clone(), two.clone()),
        "dim",
        message,
    );
    if let Some(half) = output.0.as_mut().and_then(|dims| dims.get_mut(dim)) {
        *half = if halves {
            size.floor_div(&two)
        } else {
            Dim::UNKNOWN
        };
    }
    let axis = dim + 1;
    Made::new(output, quote!(GLU), quote!(::kiln::layer::GLU::new(#axis)))
}

fn swiglu(rule: &mut Rule) -> Made {
    let out = rule.size("out", None);
    let bias = rule.args.flag("bias", false);
    let features = rule.last();
    let output = rule.with_last(out.clone());
    let two = Dim::of(2);
    let multiply_adds = super::numbers(&output).mul(&features).mul(&two);
    let (from, to) = (features.usize_tokens(), out.usize_tokens());
    let with_bias = bias.then(|| quote!(.with_bias(true)));
    let init = quote!(::kiln::layer::SwiGluConfig::new(#from, #to) #with_bias .init(device));
    Made::new(output, quote!(SwiGlu), init)
        .params(features.add(&Dim::of(bias.into())).mul(&out).mul(&two))
        .multiply_adds(multiply_adds)
}
