//! The losses: for each its signature and its one rule, which says what it needs of the outputs, and
//! what it compares them with.

mod rule;

use self::rule::Rule;
use super::ir::{Loss, Output, Target};
use super::parse::Term;
use super::require::{Checks, Condition, Range, message};
use crate::suggest;
use crate::syntax::{Bound, HyperType, Param, Signature};

/// A loss of the language. It is a function of the same name in `kiln::loss`, that takes the outputs,
/// the target and the settings.
struct Entry {
    name: &'static str,
    signature: Signature,
    rule: fn(&mut Rule) -> Target,
}

use Param as P;

/// The parameter that names the output, where there are several.
const OUTPUT: Param = P::optional("output");

/// A loss of one output.
const fn entry(
    name: &'static str,
    params: &'static [Param],
    rule: fn(&mut Rule) -> Target,
) -> Entry {
    let positional = 1;
    let signature = Signature { params, positional };
    Entry {
        name,
        signature,
        rule,
    }
}

/// A loss that takes two outputs.
const fn pair(
    name: &'static str,
    params: &'static [Param],
    rule: fn(&mut Rule) -> Target,
) -> Entry {
    let positional = 2;
    let signature = Signature { params, positional };
    Entry {
        name,
        signature,
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
    pair(
        "cosine_embedding",
        &[
            P::required("left"),
            P::required("right"),
            P::optional("margin"),
        ],
        |rule| {
            rule.real("margin", 0.0, Range::Cosine);
            rule.vectors()
        },
    ),
    pair(
        "margin_ranking",
        &[
            P::required("left"),
            P::required("right"),
            P::optional("margin"),
        ],
        |rule| {
            rule.real("margin", 0.0, Range::Finite);
            rule.alike()
        },
    ),
    pair(
        "gaussian_nll",
        &[
            P::required("mean"),
            P::required("variance"),
            P::optional("full"),
            P::optional("epsilon"),
        ],
        |rule| {
            rule.flag("full", false);
            rule.real("epsilon", 1e-6, Range::Positive);
            rule.alike()
        },
    ),
];

/// How many inputs, and how many targets, a batch may have (`Upload`).
pub const MOST: usize = 8;

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
        && weight.is_early("the weight of a loss", checks.head, checks.report)
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
