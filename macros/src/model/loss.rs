//! The losses: for each its signature and its one rule, which says what it needs of the outputs, and
//! what it compares them with.

use proc_macro2::Ident;
use quote::quote;

use super::dim::{Dim, Shape};
use super::ir::{Loss, Output, Setting, Target};
use super::parse::Term;
use super::require::{Checks, Condition, Range, message, shape_parts};
use crate::suggest;
use crate::syntax::{Bound, HyperType, Number, Param, Signature};

/// A loss of the language. It is a function of the same name in `kiln::loss`, that takes the outputs,
/// the target and the settings.
struct Entry {
    name: &'static str,
    signature: Signature,
    rule: fn(&mut Rule) -> Target,
}

/// What a rule sees.
struct Rule<'a, 'b> {
    args: Bound<'b>,
    /// The outputs that it takes; none where a mistake leaves one open.
    outputs: Vec<Option<&'b Output>>,
    checks: &'b mut Checks<'a>,
    /// What stands behind the target, in order.
    settings: Vec<Setting>,
}

use Param as P;

/// The parameter that names the output, where there are several.
const OUTPUT: Param = P::optional("output");

const fn entry(
    name: &'static str,
    params: &'static [Param],
    rule: fn(&mut Rule) -> Target,
) -> Entry {
    Entry {
        name,
        signature: Signature {
            params,
            positional: 1,
        },
        rule,
    }
}

/// Every loss; names and parameter names are those of PyTorch.
const LOSSES: &[Entry] = &[
    entry(
        "cross_entropy",
        &[OUTPUT, P::optional("label_smoothing")],
        |rule| {
            rule.real("label_smoothing", 0.0, Range::Share);
            rule.before("softmax", &["softmax", "log_softmax", "softmin"]);
            rule.classes()
        },
    ),
    entry(
        "multi_margin",
        &[OUTPUT, P::optional("p"), P::optional("margin")],
        |rule| {
            rule.exponent();
            rule.real("margin", 1.0, Range::NotNegative);
            rule.classes()
        },
    ),
    entry("ctc", &[OUTPUT], |rule| {
        rule.logarithms();
        rule.spelled()
    }),
    entry("binary_cross_entropy", &[OUTPUT], |rule| {
        rule.probabilities();
        rule.values()
    }),
    entry("binary_cross_entropy_with_logits", &[OUTPUT], |rule| {
        rule.before(
            "sigmoid",
            &["sigmoid", "logsigmoid", "hardsigmoid", "softmax"],
        );
        rule.values()
    }),
    entry("kl_divergence", &[OUTPUT], |rule| {
        rule.logarithms();
        rule.values()
    }),
    entry("mse", &[OUTPUT], |rule| rule.values()),
    entry("l1", &[OUTPUT], |rule| rule.values()),
    entry("huber", &[OUTPUT, P::optional("delta")], |rule| {
        rule.real("delta", 1.0, Range::Positive);
        rule.values()
    }),
    entry("smooth_l1", &[OUTPUT, P::optional("beta")], |rule| {
        rule.real("beta", 1.0, Range::Positive);
        rule.values()
    }),
    entry(
        "poisson_nll",
        &[
            OUTPUT,
            P::optional("log_input"),
            P::optional("full"),
            P::optional("epsilon"),
        ],
        |rule| {
            rule.flag("log_input", true);
            rule.flag("full", false);
            rule.real("epsilon", 1e-8, Range::Positive);
            rule.values()
        },
    ),
    entry("soft_margin", &[OUTPUT], |rule| rule.values()),
    entry(
        "hinge_embedding",
        &[OUTPUT, P::optional("margin")],
        |rule| {
            rule.real("margin", 1.0, Range::Finite);
            rule.values()
        },
    ),
    Entry {
        name: "cosine_embedding",
        signature: Signature {
            params: &[
                P::required("left"),
                P::required("right"),
                P::optional("margin"),
            ],
            positional: 2,
        },
        rule: |rule| {
            rule.real("margin", 0.0, Range::Cosine);
            rule.pair()
        },
    },
];

/// How many targets a batch may have (`Upload`).
const MOST: usize = 8;

/// The losses that `terms` name, and what they need of the outputs.
pub fn losses(terms: &[Term], outputs: &[Output], checks: &mut Checks) -> Vec<Loss> {
    if let Some(Term { call, .. }) = terms.get(MOST) {
        let message = format!("a model has at most {MOST} losses; leave this out");
        checks.report.error(&call.name, message);
    }
    let each = terms.iter().take(MOST);
    each.filter_map(|term| loss(term, outputs, checks))
        .collect()
}

fn loss(term: &Term, outputs: &[Output], checks: &mut Checks) -> Option<Loss> {
    let Term { weight, call } = term;
    if let Some(weight) = weight
        && weight.check(HyperType::Float, checks.head, checks.report)
    {
        let condition = Condition::Real(weight.clone(), Range::Positive);
        let message = message!["the weight of a loss is above 0"];
        checks.require(condition, weight.pos, "loss", message);
    }
    let name = call.name.to_string();
    let Some(entry) = LOSSES.iter().find(|entry| entry.name == name) else {
        let names = LOSSES.iter().map(|entry| entry.name);
        let hint = suggest::hint(&name, "the losses are", names);
        let message = format!("no loss is called `{name}`{hint}");
        checks.report.error(&call.name, message);
        return None;
    };
    let Signature { params, positional } = entry.signature;
    let args = entry.signature.bind(call, checks.head, checks.report);
    let named = params[..positional].iter();
    let named: Vec<Option<usize>> = named
        .map(|param| output(&args, param, outputs, checks))
        .collect();
    let mut rule = Rule {
        args,
        outputs: named
            .iter()
            .map(|index| Some(&outputs[(*index)?]))
            .collect(),
        checks,
        settings: Vec::new(),
    };
    let target = (entry.rule)(&mut rule);
    Some(Loss {
        weight: weight.clone(),
        function: entry.name,
        // One that is missing was reported, and nothing is written out.
        outputs: named.iter().map(|index| index.unwrap_or(0)).collect(),
        target,
        settings: rule.settings,
    })
}

/// The output that the argument called `param` names; the only one where none is named.
fn output(args: &Bound, param: &Param, outputs: &[Output], checks: &Checks) -> Option<usize> {
    let names: Vec<_> = outputs.iter().map(|o| o.name.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let report = checks.report;
    let Some(value) = args.value(param.name) else {
        // What is required was reported as missing, and so was an output where there is none.
        if outputs.len() > 1 && !param.required {
            let message = format!(
                "say of which output: `{}({})`; the outputs are {}",
                args.name,
                names[0],
                suggest::list(&names),
            );
            report.error(args.name, message);
        }
        return (outputs.len() == 1).then_some(0);
    };
    let Some(word) = value.expr().and_then(|expr| expr.word()) else {
        let message = format!(
            "`{}` takes the name of an output here; its settings are written with their names",
            args.name,
        );
        report.error(value.pos, message);
        return None;
    };
    let found = outputs.iter().position(|output| output.name == *word);
    if found.is_none() && !outputs.is_empty() {
        let hint = suggest::hint(&word.to_string(), "the outputs are", names);
        report.error(word, format!("no output is called `{word}`{hint}"));
    }
    found
}

impl Rule<'_, '_> {
    /// The setting `arg`, a real number in `range`.
    fn real(&mut self, arg: &str, default: f64, range: Range) {
        let Some(expr) = self.args.float(arg) else {
            return self.settings.push(Setting::Written(quote!(#default)));
        };
        let text = format!("`{}` needs `{arg}` {}", self.args.name, range.described());
        let condition = Condition::Real(expr.clone(), range);
        self.checks
            .require(condition, expr.pos, "loss", message![text]);
        self.settings.push(Setting::Real(expr.clone()));
    }

    fn flag(&mut self, arg: &str, default: bool) {
        let value = self.args.flag(arg, default);
        self.settings.push(Setting::Written(quote!(#value)));
    }

    /// The setting `p`, 1 or 2.
    fn exponent(&mut self) {
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
    fn before(&self, function: &str, already: &[&str]) {
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
    fn probabilities(&self) {
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
    fn logarithms(&self) {
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
    fn classes(&mut self) -> Target {
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
    fn spelled(&mut self) -> Target {
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
    fn values(&mut self) -> Target {
        let shape = self.outputs[0].map(|output| output.shape.clone());
        Target::Values(shape.unwrap_or(Shape::UNKNOWN))
    }

    /// Two outputs `[n]` of one size, compared with a sign.
    fn pair(&mut self) -> Target {
        let sign = Target::Values(Shape::of(Vec::new()));
        let [Some(left), Some(right)] = self.outputs[..] else {
            return sign;
        };
        let (Some(a), Some(b)) = (&left.shape.0, &right.shape.0) else {
            return sign;
        };
        let text = format!(
            "`{}` compares two outputs [n] of one size, found ",
            self.args.name
        );
        let mut message = message![text];
        message.extend(shape_parts(&left.shape));
        message.push(" and ".into());
        message.extend(shape_parts(&right.shape));
        let condition = match (a.as_slice(), b.as_slice()) {
            ([a], [b]) => Condition::Equal(a.clone(), b.clone()),
            _ => Condition::Equal(Dim::of(0), Dim::of(1)),
        };
        let pos = self.args.name.into();
        self.checks.require(condition, pos, "loss", message);
        sign
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
