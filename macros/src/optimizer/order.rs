//! The order of the rules: which hold together, which is for all parameters, and whether each can
//! win.

use quote::quote;

use super::ir::{Rule, Target, Time};
use super::parse::{self, Statement};
use super::rules::{ALONE, matches};
use crate::report::{Pos, Report};
use crate::syntax::{Call, Head};

/// Where a rule stands, and its targets as written; `None` for a rule for all parameters.
type Place<'a> = (Pos, Option<&'a [parse::Target]>);

/// The rules that hold together: those of the beginning, or those from one moment on.
#[derive(Default)]
pub struct Stage<'a> {
    pub rules: Vec<Rule<'a>>,
    pub places: Vec<Place<'a>>,
    /// Whether a rule could not be told.
    unknown: bool,
}

impl<'a> Stage<'a> {
    pub fn push(&mut self, place: Place<'a>, rule: Option<Rule<'a>>) {
        self.unknown |= rule.is_none();
        self.places.push(place);
        self.rules.extend(rule);
    }

    /// The first rule, which is called `which`, is for all parameters, and no other is. Where a
    /// statement is `broken`, what is missing may be in it.
    pub fn default_comes_first(&self, which: &str, broken: bool, report: &Report) {
        let Some(((_, first), rest)) = self.places.split_first() else {
            return;
        };
        let mut default = first.is_none();
        for (pos, targets) in rest {
            if targets.is_some() {
                continue;
            }
            let message = if default {
                "this is the second rule for all parameters, and the last rule that matches wins: \
             the rules before it would never be used; keep one, or say what this one is `for`"
            } else {
                "this rule is for all parameters and hides the rules before it, because the last rule \
             that matches wins; write it first"
            };
            report.error(*pos, message);
            default = true;
        }
        if !default && !broken {
            let (pos, _) = self.places[0];
            let message =
                format!("{which} must be for all parameters; write one without `for` before it");
            report.error(pos, message);
        }
    }

    /// No rule is hidden by those behind it.
    pub fn every_rule_can_win(&self, report: &Report) {
        if self.unknown {
            return;
        }
        let (rules, places) = (&self.rules, &self.places);
        for (i, (rule, (pos, targets))) in rules.iter().zip(places).enumerate() {
            // What was refused among its targets may be what a rule can win.
            let whole = rule.targets.len() == targets.map_or(0, <[_]>::len);
            let later = rules[i + 1..].iter().flat_map(|rule| &rule.targets);
            let later: Vec<&Target> = later.collect();
            let hidden = match rule.targets.as_slice() {
                [] => later
                    .iter()
                    .any(|later| **later == Target::Path("*".into())),
                targets => targets
                    .iter()
                    .all(|target| later.iter().any(|later| later.covers(target))),
            };
            if whole && hidden {
                let message = "this rule never wins: the rules behind it match all that it matches, and \
                           the last rule that matches wins";
                report.error(*pos, message);
            }
        }
    }
}

/// Whether there is a rule that stands alone, as `lbfgs` does, and needs no order of rules: what stands
/// beside it is reported.
pub fn stands_alone(statements: &[Statement], report: &Report) -> bool {
    let mut updates = statements.iter().enumerate();
    let of = |call: &Call| {
        let mut names = ALONE.iter().map(|spec| spec.name);
        names.find(|name| call.name == *name)
    };
    let alone = updates.find_map(|(at, statement)| match statement {
        Statement::Update { call, .. } => Some((at, of(call)?)),
        _ => None,
    });
    for (at, statement) in statements.iter().enumerate() {
        let message = match statement {
            Statement::Switch { call, .. } if let Some(name) = of(call) => format!(
                "training cannot switch to `{name}`, which evaluates the loss several times a step; \
                 declare it alone, as `update {name}();`"
            ),
            _ => match (alone, statement) {
                (
                    Some((place, name)),
                    Statement::Update {
                        targets: Some(_), ..
                    },
                ) if place == at => {
                    format!("`{name}` moves all parameters as one vector; leave out its `for`")
                }
                (Some((place, name)), _) if place != at => format!(
                    "`{name}` evaluates the loss several times a step, and nothing stands beside it; \
                     leave this out, or choose another update rule"
                ),
                _ => continue,
            },
        };
        let (Statement::Update { pos, .. }
        | Statement::Switch { pos, .. }
        | Statement::Other { pos, .. }) = statement;
        report.error(*pos, message);
    }
    alone.is_some()
}

impl Time<'_> {
    /// The number of its unit, if it is a literal.
    fn literal(&self) -> Option<f64> {
        self.value.real()
    }

    /// Whether it is written like `other`.
    pub fn is(&self, other: &Time, head: &Head) -> bool {
        self.unit == other.unit
            && match (self.literal(), other.literal()) {
                (None, None) => {
                    let written = |time: &Time| time.value.float_tokens(head, &quote!(self));
                    written(self).to_string() == written(other).to_string()
                }
                (a, b) => a == b,
            }
    }
}

/// Reports `next` if it surely lies before `last`, which stands before it.
pub fn rises(last: &Time, next: &Time, report: &Report) {
    if let (Some(before), Some(after)) = (last.literal(), next.literal())
        && last.unit == next.unit
        && after < before
    {
        let unit = next.unit;
        let message = format!(
            "moments must rise, but {} stands behind {}",
            unit.show(after),
            unit.show(before),
        );
        report.error(next.value.pos, message);
    }
}

impl Target {
    /// Whether all that `other` matches is surely matched.
    fn covers(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Path(pattern), Target::Path(path)) => matches(pattern, path),
            (Target::Path(pattern), _) => pattern == "*",
            _ => self == other,
        }
    }
}
