//! Check: statements to the IR. Every mistake is reported at its own token, and what is right goes
//! on.

use proc_macro2::Ident;

use super::ir::{Recipe, Rule, Target};
use super::parse::{self, Declaration, Statement};
use super::rules::{self, RULES, Range, Value};
use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{Bound, Call, Expr, Head, HyperType, Number};

const KINDS: [&str; 2] = ["bias", "norm"];

/// Where a rule stands, and its targets as written; `None` for a rule for all parameters.
type Place<'a> = (Pos, Option<&'a [parse::Target]>);

/// What `declaration` says. Where something is wrong, the report says so, and the result is empty.
pub fn recipe<'a>(declaration: &'a Declaration, report: &'a Report) -> Recipe<'a> {
    let head = &declaration.head;
    let mut recipe = Recipe::default();
    let mut places = Vec::new();
    let mut clipped = false;
    let mut unknown = false;
    for statement in &declaration.statements {
        match statement {
            Statement::Update { call, targets, pos } => {
                let targets = targets.as_deref();
                places.push((*pos, targets));
                match rule(call, targets, head, report) {
                    Some(rule) => recipe.rules.push(rule),
                    None => unknown = true,
                }
            }
            Statement::Clip { call, pos } => {
                if std::mem::replace(&mut clipped, true) {
                    let message = "gradients are clipped twice; keep one `clip`";
                    report.error(*pos, message);
                }
                recipe.max_norm = clip(call, head, report);
            }
        }
    }
    if !declaration.broken {
        default_comes_first(&places, head, report);
    }
    if !unknown {
        every_rule_can_win(&recipe.rules, &places, report);
    }
    let taken = [HyperType::Int, HyperType::Float, HyperType::Bool];
    head.every_hyper_is_used(&taken, report);
    if report.is_clean() {
        recipe
    } else {
        Recipe::default()
    }
}

fn rule<'a>(
    call: &'a Call,
    targets: Option<&[parse::Target]>,
    head: &'a Head,
    report: &'a Report,
) -> Option<Rule<'a>> {
    let targets = self::targets(targets.unwrap_or_default(), report);
    let Some(rule) = RULES.iter().find(|rule| call.name == rule.name) else {
        let names = RULES.iter().map(|rule| rule.name);
        let hint = suggest::hint(&call.name.to_string(), "the update rules are", names);
        report.error(
            &call.name,
            format!("unknown update rule `{}`{hint}", call.name),
        );
        return None;
    };
    let bound = rule.signature.bind(call, head, report);
    let mut values = Vec::new();
    for (param, value) in rule.signature.params.iter().zip(rule.values) {
        values.push(match value {
            Value::Number { range, .. } => number(&bound, param.name, *range, head, report),
            Value::Flag { needs, .. } => flag(&bound, rule, param.name, needs, head, report),
        });
    }
    Some(Rule {
        rule,
        values,
        targets,
    })
}

fn clip<'a>(call: &'a Call, head: &'a Head, report: &'a Report) -> Option<&'a Expr> {
    if call.name != rules::CLIP {
        let hint = suggest::hint(&call.name.to_string(), "there is", [rules::CLIP]);
        report.error(
            &call.name,
            format!("unknown way of clipping `{}`{hint}", call.name),
        );
        return None;
    }
    let bound = rules::CLIP_SIGNATURE.bind(call, head, report);
    number(&bound, "max_norm", rules::CLIP_RANGE, head, report)
}

/// The number given for `name`, in `range` as it stands and with the declared defaults.
fn number<'a>(
    bound: &Bound<'a>,
    name: &str,
    range: Range,
    head: &Head,
    report: &Report,
) -> Option<&'a Expr> {
    let expr = bound.float(name)?;
    if bound.value(name).is_some_and(|value| value.unit.is_some()) {
        return Some(expr);
    }
    let names = expr.names();
    let known = names.iter().all(|name| {
        head.hypers
            .iter()
            .any(|hyper| hyper.text() == *name && hyper.default.is_some())
    });
    let value = expr.eval_float(&|name| head.default_of(name).map(Number::float));
    let expected = range.described();
    let with = match names.as_slice() {
        [] => String::new(),
        names => format!(" with the default {}", head.defaults_shown(names)),
    };
    match value {
        Some(value) if !range.holds(value) => {
            let message = format!("`{name}` must be {expected}, found {value}{with}");
            report.error(expr.pos, message);
        }
        None if known => {
            report.error(
                expr.pos,
                format!("`{name}` must be {expected}, found no number{with}"),
            );
        }
        _ => {}
    }
    Some(expr)
}

/// The flag given for `name`; where it is surely on, the number that it `needs` must not be 0.
fn flag<'a>(
    bound: &Bound<'a>,
    rule: &rules::Rule,
    name: &str,
    needs: &str,
    head: &Head,
    report: &Report,
) -> Option<&'a Expr> {
    let expr = bound.expr(name, HyperType::Bool)?;
    let needed = match bound.value(needs) {
        Some(value) => value
            .expr()
            .and_then(|expr| expr.eval_float(&|name| head.default_of(name).map(Number::float))),
        None => rule.default_of(needs),
    };
    if expr.truth(head) == Some(true) && needed == Some(0.0) {
        let message = format!(
            "`{name}` needs a `{needs}` above 0: write `{}({needs}: 0.9, {name}: true)`",
            rule.name,
        );
        report.error(expr.pos, message);
    }
    Some(expr)
}

fn targets(targets: &[parse::Target], report: &Report) -> Vec<Target> {
    let mut found = Vec::new();
    for target in targets {
        let (known, pos, text) = match target {
            parse::Target::Kind(name) => (kind(name), name.span(), name.to_string()),
            parse::Target::Path(path) => (pattern(&path.value()), path.span(), path.value()),
            parse::Target::Unread => continue,
        };
        match known {
            Ok(known) if found.contains(&known) => {
                report.error(pos, format!("`{text}` is said twice"))
            }
            Ok(known) => found.push(known),
            Err(message) => report.error(pos, message),
        }
    }
    found
}

fn kind(name: &Ident) -> Result<Target, String> {
    match name.to_string().as_str() {
        "bias" => Ok(Target::Bias),
        "norm" => Ok(Target::Norm),
        word => {
            let hint = suggest::hint(word, "the kinds are", KINDS);
            let quotes = if hint.ends_with('?') {
                String::new()
            } else {
                format!(", and a path is written in quotes: \"{word}.*\"")
            };
            Err(format!("unknown kind of parameter `{word}`{hint}{quotes}"))
        }
    }
}

/// `text`, if a path could match it.
fn pattern(text: &str) -> Result<Target, String> {
    if text.is_empty() {
        return Err("this pattern is empty and matches no parameter; `*` alone matches all".into());
    }
    let odd = |letter: &char| !(letter.is_alphanumeric() || "_.*#".contains(*letter));
    match text.chars().find(odd) {
        Some(letter) => Err(format!(
            "no path holds `{}`: a path is names with dots, as in \"head.weight\", and `*` stands \
             for any run of characters",
            letter.escape_debug(),
        )),
        None => Ok(Target::Path(text.into())),
    }
}

fn default_comes_first(places: &[Place], head: &Head, report: &Report) {
    let Some(((_, first), rest)) = places.split_first() else {
        let message = format!(
            "`{}` does not say how parameters are updated; write `update sgd(momentum: 0.9);`",
            head.name,
        );
        report.error(head, message);
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
    if !default {
        let (pos, _) = places[0];
        let message =
            "the first rule must be for all parameters; write one without `for` before it";
        report.error(pos, message);
    }
}

fn every_rule_can_win(rules: &[Rule], places: &[Place], report: &Report) {
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

impl rules::Rule {
    fn default_of(&self, name: &str) -> Option<f64> {
        let at = self
            .signature
            .params
            .iter()
            .position(|param| param.name == name)?;
        match self.values[at] {
            Value::Number { default, .. } => Some(default),
            Value::Flag { .. } => None,
        }
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

/// Whether `pattern` matches every path that the pattern `path` matches: a star of `path` is a
/// letter here that only a star matches.
fn matches(pattern: &str, path: &str) -> bool {
    let Some((start, mut pattern)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(mut path) = path.strip_prefix(start) else {
        return false;
    };
    while let Some((part, rest)) = pattern.split_once('*') {
        let Some(at) = path.find(part) else {
            return false;
        };
        path = &path[at + part.len()..];
        pattern = rest;
    }
    path.ends_with(pattern)
}
