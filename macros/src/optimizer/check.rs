//! Check: statements to the IR. Every mistake is reported at its own token, and what is right goes
//! on.

use std::collections::HashMap;
use std::sync::LazyLock;

use proc_macro2::Ident;

use super::ir::{Choice, Recipe, Rule, Target, Time, Value};
use super::order::{self, Stage};
use super::parse::{self, Declaration, Statement};
use super::rules::{self, Kind, Param, Range, Spec, UPDATES};
use crate::report::Report;
use crate::schedule::rules as time;
use crate::suggest;
use crate::syntax::{self, Bound, Call, Expr, Head, HyperType, Number, Signature, Unit};

const KINDS: [&str; 3] = ["bias", "norm", "embedding"];

/// What `declaration` says. Where something is wrong, the report says so, and the result is empty.
pub fn recipe<'a>(declaration: &'a Declaration, report: &'a Report) -> Recipe<'a> {
    let head = &declaration.head;
    let checker = Checker { head, report };
    let mut recipe = Recipe::default();
    let mut first = Stage::default();
    let mut stages: Vec<(Time, Stage)> = Vec::new();
    for statement in &declaration.statements {
        match statement {
            Statement::Update { call, targets, pos } => {
                let targets = targets.as_deref();
                first.push((*pos, targets), checker.rule(call, targets));
            }
            Statement::Switch {
                at,
                call,
                targets,
                pos,
            } => {
                let targets = targets.as_deref();
                let at = checker.time("at", at);
                let rule = checker.rule(call, targets);
                let Some(at) = at else {
                    continue;
                };
                if !stages.last().is_some_and(|(last, _)| last.is(&at, head)) {
                    if let Some((last, _)) = stages.last() {
                        order::rises(last, &at, report);
                    }
                    stages.push((at, Stage::default()));
                }
                if let Some((_, stage)) = stages.last_mut() {
                    stage.push((*pos, targets), rule);
                }
            }
            Statement::Other {
                statement,
                call,
                pos,
            } => {
                let Some(choice) = checker.other(statement, call) else {
                    continue;
                };
                let excludes = |other: &Spec| {
                    let mut groups = statement.choices.iter();
                    groups.any(|group| {
                        let among = |spec: &Spec| group.iter().any(|one| one.name == spec.name);
                        among(choice.spec) && among(other)
                    })
                };
                if recipe.said.iter().any(|(_, said)| excludes(said.spec)) {
                    report.error(*pos, statement.twice);
                }
                recipe.said.push((statement, choice));
            }
        }
    }
    if first.places.is_empty() && !declaration.broken {
        let message = format!(
            "`{}` does not say how parameters are updated; write `update sgd(momentum: 0.9);`",
            head.name,
        );
        report.error(head, message);
    }
    if !order::stands_alone(&declaration.statements, report) {
        let later = stages.iter();
        let later = later.map(|(_, stage)| (FROM_A_MOMENT, stage));
        for (which, stage) in std::iter::once(("the first rule", &first)).chain(later) {
            stage.default_comes_first(which, declaration.broken, report);
            stage.every_rule_can_win(report);
        }
    }
    recipe.rules = first.rules;
    for (at, stage) in stages {
        recipe
            .switches
            .extend(stage.rules.into_iter().map(|rule| (at, rule)));
    }
    let taken = [HyperType::Int, HyperType::Float, HyperType::Bool];
    head.every_hyper_is_used(&taken, report);
    if report.is_clean() {
        recipe
    } else {
        Recipe::default()
    }
}

struct Checker<'a> {
    head: &'a Head,
    report: &'a Report,
}

impl<'a> Checker<'a> {
    fn rule(&self, call: &'a Call, targets: Option<&[parse::Target]>) -> Option<Rule<'a>> {
        let targets = self::targets(targets.unwrap_or_default(), self.report);
        let Some(at) = UPDATES.iter().position(|rule| call.name == rule.name) else {
            let names = UPDATES.iter().map(|rule| rule.name);
            let hint = suggest::hint(&call.name.to_string(), "the update rules are", names);
            self.report.error(
                &call.name,
                format!("unknown update rule `{}`{hint}", call.name),
            );
            return None;
        };
        let bound = signatures().0[at].bind(call, self.head, self.report);
        let update = self.choice(UPDATES[at], &bound);
        let lr = self.multiple(&bound);
        Some(Rule {
            update,
            lr,
            targets,
        })
    }

    fn other(&self, statement: &rules::Statement, call: &'a Call) -> Option<Choice<'a>> {
        let Some(spec) = statement.specs().find(|spec| call.name == spec.name) else {
            let names: Vec<_> = statement.specs().map(|spec| spec.name).collect();
            let hint = match names.as_slice() {
                [one] => suggest::hint(&call.name.to_string(), "there is", [*one]),
                names => suggest::hint(&call.name.to_string(), "there are", names.iter().copied()),
            };
            self.report.error(
                &call.name,
                format!("unknown {} `{}`{hint}", statement.what, call.name),
            );
            return None;
        };
        let bound = signatures()
            .1
            .get(spec.name)?
            .bind(call, self.head, self.report);
        Some(self.choice(spec, &bound))
    }

    fn choice(&self, spec: &'static Spec, bound: &Bound<'a>) -> Choice<'a> {
        let values = spec.params.iter().map(|param| {
            let name = param.name;
            match param.kind {
                Kind::Number(range, _) => self.number(bound, name, range).map(Value::Number),
                Kind::Count(_) => self.count(bound, name).map(Value::Count),
                Kind::Flag { needs, .. } => self.flag(bound, spec, name, needs).map(Value::Flag),
                Kind::Word { words, .. } => {
                    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                    let found = bound.choice(name, &known)?;
                    let mut words = words.iter();
                    words
                        .find(|(word, _)| *word == found)
                        .map(|(_, variant)| Value::Word(variant))
                }
                Kind::Time => self.time(name, bound.value(name)?).map(Value::Time),
            }
        });
        Choice {
            spec,
            values: values.collect(),
        }
    }

    /// The learning rate as a multiple of the schedule's.
    fn multiple(&self, bound: &Bound<'a>) -> Option<&'a Expr> {
        let value = bound.value("lr")?;
        let Some(expr) = value.expr() else {
            self.report.error(value.pos, LR_FORM);
            return None;
        };
        match value.unit {
            Some((Unit::Times, _)) => {}
            Some((_, pos)) => self.report.error(pos, LR_FORM),
            None => self.report.error(value.pos, LR_FORM),
        }
        if !expr.check(HyperType::Float, self.head, self.report) {
            return None;
        }
        self.ranged(expr, "lr", rules::LR);
        Some(expr)
    }

    /// The number given for `name`, in `range` as it stands and with the declared defaults.
    fn number(&self, bound: &Bound<'a>, name: &str, range: Range) -> Option<&'a Expr> {
        let expr = bound.float(name)?;
        if bound.value(name).is_some_and(|value| value.unit.is_none()) {
            self.ranged(expr, name, range);
        }
        Some(expr)
    }

    fn ranged(&self, expr: &Expr, name: &str, range: Range) {
        let Some((found, with)) = self.known(expr) else {
            return;
        };
        let found = match found {
            Some(value) if range.holds(value) => return,
            Some(value) => value.to_string(),
            None => "no number".into(),
        };
        let message = format!(
            "`{name}` must be {}, found {found}{with}",
            range.described()
        );
        self.report.error(expr.pos, message);
    }

    /// The value of `expr` where it is known, `None` in it where it is none, and with which
    /// defaults.
    fn known(&self, expr: &Expr) -> Option<(Option<f64>, String)> {
        let head = self.head;
        let value = expr.eval_float(&|name| head.default_of(name).map(Number::float));
        let names = expr.names();
        let known = names.iter().all(|name| {
            let mut hypers = head.hypers.iter();
            hypers.any(|hyper| hyper.text() == *name && hyper.default.is_some())
        });
        let with = match names.as_slice() {
            [] => String::new(),
            names => format!(" with the default {}", head.defaults_shown(names)),
        };
        (value.is_some() || known).then_some((value, with))
    }

    /// A whole number of at least 1.
    fn count(&self, bound: &Bound<'a>, name: &str) -> Option<&'a Expr> {
        let expr = bound.int(name)?;
        if !expr.is_early(&format!("`{name}`"), self.head, self.report) {
            return None;
        }
        if !expr.names().is_empty() && expr.may_leave_counts() {
            let message = format!(
                "`{name}` is a count, and a difference or a quotient of hyper-parameters may be \
                 none; use `+` and `*` alone, or a hyper-parameter of its own",
            );
            self.report.error(expr.pos, message);
        } else if let Some((found, with)) = self.known(expr)
            && !found.is_some_and(|found| found >= 1.0 && found.fract() == 0.0)
        {
            let found = found.map_or("no number".into(), |found| found.to_string());
            let message =
                format!("`{name}` must be a whole number of at least 1, found {found}{with}");
            self.report.error(expr.pos, message);
        }
        Some(expr)
    }

    /// The flag given for `name`; where it is surely on, the number that it `needs` must not be 0.
    fn flag(
        &self,
        bound: &Bound<'a>,
        spec: &Spec,
        name: &str,
        needs: Option<&str>,
    ) -> Option<&'a Expr> {
        let expr = bound.expr(name, HyperType::Bool)?;
        let Some(needs) = needs else {
            return Some(expr);
        };
        let needed = match bound.value(needs) {
            Some(value) => value
                .expr()
                .and_then(|expr| self.known(expr))
                .and_then(|(value, _)| value),
            None => spec.param(needs).and_then(Param::default),
        };
        if expr.truth(self.head) == Some(true) && needed == Some(0.0) {
            let message = format!(
                "`{name}` needs a `{needs}` above 0: write `{}({needs}: 0.9, {name}: true)`",
                spec.name,
            );
            self.report.error(expr.pos, message);
        }
        Some(expr)
    }

    fn time(&self, name: &str, value: &'a syntax::Value) -> Option<Time<'a>> {
        const FORMS: &str = "`80 %`, `30 epochs` or `5000 steps`";
        let Some(expr) = value.expr() else {
            let message = format!("`{name}` is one time such as {FORMS}, found a list");
            self.report.error(value.pos, message);
            return None;
        };
        let unit = match value.unit {
            Some((Unit::Steps, _)) => time::Unit::Steps,
            Some((Unit::Epochs, _)) => time::Unit::Epochs,
            Some((Unit::Percent, _)) => time::Unit::Percent,
            other => {
                let pos = other.map_or(value.pos, |(_, pos)| pos);
                let message = format!("`{name}` needs a unit of time: {FORMS}");
                self.report.error(pos, message);
                return None;
            }
        };
        if !expr.check(HyperType::Float, self.head, self.report) {
            return None;
        }
        if let Some((found, with)) = self.known(expr)
            && let Err(message) = unit.check(name, found.unwrap_or(f64::NAN))
        {
            self.report.error(expr.pos, message + &with);
            return None;
        }
        Some(Time { value: expr, unit })
    }
}

const FROM_A_MOMENT: &str = "the first rule from a moment on (rules with the same time)";

const LR_FORM: &str = "the learning rate of a rule is a multiple of the schedule's: `lr: 10x`";

/// What the update rules may be given, in their order, and the choices of the other statements.
fn signatures() -> &'static (Vec<Signature>, HashMap<&'static str, Signature>) {
    static SIGNATURES: LazyLock<(Vec<Signature>, HashMap<&'static str, Signature>)> =
        LazyLock::new(|| {
            let of = |spec: &Spec, lr: &[syntax::Param]| {
                let params = spec.params.iter().map(|param| match param.required() {
                    true => syntax::Param::required(param.name),
                    false => syntax::Param::optional(param.name),
                });
                let params: Vec<_> = params.chain(lr.iter().copied()).collect();
                Signature {
                    // Once for the compiler's life.
                    params: params.leak(),
                    positional: spec.positional,
                }
            };
            let lr = [syntax::Param::optional("lr")];
            let updates = UPDATES.iter().map(|spec| of(spec, &lr)).collect();
            let others = rules::STATEMENTS.iter().flat_map(rules::Statement::specs);
            (
                updates,
                others.map(|spec| (spec.name, of(spec, &[]))).collect(),
            )
        });
    &SIGNATURES
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
        "embedding" => Ok(Target::Embedding),
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
