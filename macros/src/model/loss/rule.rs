//! What the rules of the losses are made of: settings, and what an output must be.

use proc_macro2::Ident;
use quote::quote;

use crate::model::dim::{Dim, Shape};
use crate::model::ir::{Output, Setting, Target};
use crate::model::require::{Checks, Condition, Range, message, shape_parts};
use crate::syntax::{Bound, Number};

/// What a rule sees.
pub struct Rule<'a, 'b> {
    pub args: Bound<'b>,
    /// The outputs that it takes; none where a mistake leaves one open.
    pub outputs: Vec<Option<&'b Output>>,
    pub checks: &'b mut Checks<'a>,
    /// What stands behind the target, in order.
    pub settings: Vec<Setting>,
}

impl Rule<'_, '_> {
    /// The setting `arg`, a real number in `range`.
    pub fn real(&mut self, arg: &str, default: f64, range: Range) {
        let Some(expr) = self.args.float(arg) else {
            return self.settings.push(Setting::Written(quote!(#default)));
        };
        let text = format!("`{}` needs `{arg}` {}", self.args.name, range.described());
        let condition = Condition::Real(expr.clone(), range);
        self.checks
            .require(condition, expr.pos, "loss", message![text]);
        self.settings.push(Setting::Real(expr.clone()));
    }

    pub fn flag(&mut self, arg: &str, default: bool) {
        let value = self.args.flag(arg, default);
        self.settings.push(Setting::Written(quote!(#value)));
    }

    /// The setting `p`, 1 or 2.
    pub fn exponent(&mut self) {
        let Some(expr) = self.args.int("p") else {
            return self.settings.push(Setting::Written(quote!(1)));
        };
        let p = match expr.literal() {
            Some(Number::Int(p @ (1 | 2))) => p as usize,
            _ => {
                let message = format!(
                    "`{}` needs a `p` of 1 or 2, written as a number",
                    self.args.name
                );
                self.checks.report.error(expr.pos, message);
                1
            }
        };
        self.settings.push(Setting::Written(quote!(#p)));
    }

    /// Refuses an output that already is what the loss makes of it by itself.
    pub fn before(&self, function: &str, already: &[&str]) {
        let Some(last) = self.last_of(already) else {
            return;
        };
        let message = format!(
            "`{}` takes scores before the {function} and applies it itself; leave this `{last}` out",
            self.args.name,
        );
        self.checks.report.error(last, message);
    }

    /// Refuses an output that is no probability.
    pub fn probabilities(&self) {
        if let Some(last) = self.last_of(NO_PROBABILITY) {
            let message = format!(
                "`{}` takes probabilities, and a `{last}` gives others; put a `sigmoid` behind it, \
                 or take `binary_cross_entropy_with_logits`",
                self.args.name,
            );
            self.checks.report.error(last, message);
        }
    }

    /// Refuses an output that is no logarithm of probabilities.
    pub fn logarithms(&self) {
        let last = self
            .last_of(NO_PROBABILITY)
            .filter(|last| *last != "log_softmax" && *last != "logsigmoid")
            .or_else(|| self.last_of(PROBABILITY));
        if let Some(last) = last {
            let fix = if PROBABILITY.contains(&last.to_string().as_str()) {
                "make it a `log_softmax`"
            } else {
                "put a `log_softmax` behind it"
            };
            let message = format!(
                "`{}` takes logarithms of probabilities, and a `{last}` gives others; {fix}",
                self.args.name,
            );
            self.checks.report.error(last, message);
        }
    }

    /// The layer that makes the output, if it is one of these.
    fn last_of(&self, layers: &[&str]) -> Option<&Ident> {
        let last = self.outputs[0]?.last_layer.as_ref()?;
        layers.contains(&last.to_string().as_str()).then_some(last)
    }

    /// The output as `[.., classes]`, compared with classes `[..]`.
    pub fn classes(&mut self) -> Target {
        let open = Target::Classes {
            classes: Dim::UNKNOWN,
            places: Shape::of(Vec::new()),
        };
        let Some(Output { name, shape, .. }) = self.outputs[0] else {
            return open;
        };
        let Some((classes, places)) = shape.0.as_ref().and_then(|dims| dims.split_last()) else {
            return open;
        };
        // A shape does not say where its classes are, but what makes channels is known.
        if let Some(last) = self.last_of(CHANNELS_FIRST).filter(|_| !places.is_empty()) {
            let message = format!(
                "`{}` needs scores [.., classes], the classes last; the output `{name}` is {shape}, \
                 and `{last}` gives its channels first; put `flatten` before its last `linear`, or \
                 `permute` the classes to the end",
                self.args.name,
            );
            self.checks.report.error(self.args.name, message);
            return open;
        }
        Target::Classes {
            classes: self.known(classes),
            places: Shape::of(places.to_vec()),
        }
    }

    /// The output as `[length, classes]`, compared with classes in a row.
    pub fn spelled(&mut self) -> Target {
        let output = self.outputs[0];
        let dims = output.and_then(|output| output.shape.0.as_deref());
        let (length, classes) = match (output, dims) {
            (_, Some([length, classes])) => (length.clone(), self.known(classes)),
            (Some(Output { name, shape, .. }), Some(_)) => {
                let message = format!(
                    "`{}` needs an output [length, classes]; `{name}` is {shape}",
                    self.args.name,
                );
                self.checks.report.error(self.args.name, message);
                (Dim::UNKNOWN, Dim::UNKNOWN)
            }
            _ => (Dim::UNKNOWN, Dim::UNKNOWN),
        };
        Target::Sequence {
            classes,
            longest: length,
        }
    }

    /// The number of classes, which a target is held to before a tensor arrives.
    fn known(&self, classes: &Dim) -> Dim {
        let anys = classes.anys();
        let Some(name) = anys.first() else {
            return classes.clone();
        };
        let message = format!(
            "`{}` needs a number of classes, and `{name}` is known only when a tensor arrives; put \
             a `linear` behind it",
            self.args.name,
        );
        self.checks.report.error(self.args.name, message);
        Dim::UNKNOWN
    }

    /// The output, compared with values of its shape.
    pub fn values(&mut self) -> Target {
        let shape = self.outputs[0].map(|output| output.shape.clone());
        Target::Values(shape.unwrap_or(Shape::UNKNOWN))
    }

    /// Two outputs `[n]` of one size, compared with a sign.
    pub fn vectors(&mut self) -> Target {
        self.same("[n] of one size", |dims| dims == 1);
        Target::Values(Shape::of(Vec::new()))
    }

    /// Two outputs of one shape, compared with values of it.
    pub fn alike(&mut self) -> Target {
        self.same("of one shape", |_| true);
        self.values()
    }

    /// Demands two outputs of one shape, and of as many dimensions as `fits` says.
    fn same(&mut self, what: &str, fits: fn(usize) -> bool) {
        let [Some(left), Some(right)] = self.outputs[..] else {
            return;
        };
        let (Some(a), Some(b)) = (&left.shape.0, &right.shape.0) else {
            return;
        };
        let mut message = message![format!(
            "`{}` takes two outputs {what}, found ",
            self.args.name
        )];
        message.extend(shape_parts(&left.shape));
        message.push(" and ".into());
        message.extend(shape_parts(&right.shape));
        let pos = self.args.name.into();
        if a.len() != b.len() || !fits(a.len()) {
            let never = Condition::Equal(Dim::of(0), Dim::of(1));
            self.checks.require(never, pos, "loss", message);
            return;
        }
        for (a, b) in a.iter().zip(b) {
            let equal = Condition::Equal(a.clone(), b.clone());
            if !self.checks.require(equal, pos, "loss", message.clone()) {
                break;
            }
        }
    }
}

/// What gives probabilities.
const PROBABILITY: &[&str] = &["sigmoid", "softmax", "softmin", "hardsigmoid"];

/// What gives numbers outside [0, 1]. Of what passes numbers on, such as `flatten` or a sum, nothing is
/// known.
const NO_PROBABILITY: &[&str] = &[
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "relu",
    "gelu",
    "silu",
    "softplus",
    "tanh",
    "log_softmax",
    "logsigmoid",
    "batch_norm",
    "layer_norm",
    "group_norm",
    "rms_norm",
];

/// What gives `[channels, ..]`.
const CHANNELS_FIRST: &[&str] = &[
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "max_pool1d",
    "max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "group_norm",
    "instance_norm",
    "interpolate",
];
