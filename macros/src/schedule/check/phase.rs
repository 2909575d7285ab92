//! One phase: its arguments, each by itself and together.

use std::sync::LazyLock;

use proc_macro2::Ident;

use super::super::ir::{Field, Phase, Time};
use super::super::phases::{METRICS, PHASES};
use super::super::rules::{self, Kind, Known, Range, Spec, Unlimited, Words};
use super::{Checked, Checker};
use crate::suggest;
use crate::syntax::{Bound, Call, Expr, HyperType, Node, Param, Signature, Unit, Value, ValueKind};

/// What may stand where a unit of time is missing.
const UNITS: &str = "`5 epochs`, `500 steps` or `5 %`";

impl Checker<'_> {
    /// A phase, which stands first in its chain or not; `None` if there is none of that name.
    pub(super) fn phase(&self, call: &Call, first: bool) -> Option<Checked> {
        let Some(place) = PHASES.iter().position(|phase| call.name == phase.name) else {
            let names = PHASES.iter().map(|phase| phase.name);
            let hint = suggest::hint(&call.name.to_string(), "the phases are", names);
            self.report
                .error(&call.name, format!("unknown phase `{}`{hint}", call.name));
            return None;
        };
        let spec = PHASES[place];
        let bound = signature(place).bind(call, self.head, self.report);
        // An argument that was reported may have been the duration.
        let is_one = |key: &Ident| spec.params.iter().any(|param| key == param.name);
        let misread = call.broken
            || call
                .args
                .iter()
                .any(|arg| arg.key.as_ref().is_some_and(|key| !is_one(key)));
        let mut checked = Checked {
            phase: Phase {
                spec,
                fields: Vec::new(),
            },
            pos: call.pos,
            duration: None,
            limited: spec.unlimited == Unlimited::Never
                || bound.value("duration").is_some()
                || misread,
            moments: Vec::new(),
        };
        for param in spec.params {
            let field = self.field(spec, param, &bound, &mut checked);
            checked
                .phase
                .fields
                .extend(field.map(|field| (param.name, field)));
        }
        // What is missing was reported by itself.
        if !misread && !bound.incomplete {
            let known = |name: &str| known(spec, name, &bound);
            if let Some((name, message)) = rules::together(spec, first, &known) {
                self.report.error(bound.pos(name), message);
            }
        }
        Some(checked)
    }

    fn field(
        &self,
        spec: &Spec,
        param: &rules::Param,
        bound: &Bound,
        checked: &mut Checked,
    ) -> Option<Field> {
        let name = param.name;
        let value = bound.value(name);
        match param.kind {
            Kind::Number(_, Some(default)) if value.is_none() => Some(Field::Default(default)),
            Kind::Number(range, _) => self.argument(name, range, bound).map(Field::Number),
            Kind::Optional(range) => optional(value, || {
                self.argument(name, range, bound).map(Field::Number)
            }),
            Kind::Duration if spec.requires(param) => {
                self.duration(spec, value?, checked).map(Field::Time)
            }
            Kind::Duration => optional(value, || {
                self.duration(spec, value?, checked).map(Field::Time)
            }),
            Kind::Time { required, least } => {
                let time = || self.period(name, least, value?).map(Field::Time);
                match required {
                    true => time(),
                    false => optional(value, time),
                }
            }
            Kind::Epochs(default) => {
                let time = match value {
                    Some(value) => self.epochs(name, value)?,
                    None => Time {
                        value: Expr {
                            node: Node::Float(default),
                            pos: bound.pos,
                        },
                        unit: rules::Unit::Epochs,
                    },
                };
                Some(Field::Time(time))
            }
            Kind::Moments => self.moments(name, value?, checked),
            Kind::Word(words, Some(default)) if value.is_none() => Some(field_of(words, default)),
            Kind::Word(words, default) => {
                let chosen = || {
                    let word = bound.choice(name, words.words)?;
                    Some(field_of(words, word))
                };
                match default {
                    Some(_) => chosen(),
                    None => optional(value, chosen),
                }
            }
            Kind::Flag => Some(Field::Flag(bound.flag(name, false))),
            Kind::Metric => match value.map(|value| &value.kind) {
                None => Some(field_of(&METRICS, METRICS.words[0])),
                Some(ValueKind::Text(text)) => Some(Field::Metric(text.clone())),
                Some(_) => self.metric(name, bound),
            },
        }
    }

    /// The number given as `name`, with its range asked.
    fn argument(&self, name: &str, range: Range, bound: &Bound) -> Option<Expr> {
        let expr = bound.float(name)?;
        if let Some(value) = expr.real()
            && let Err(message) = range.check(name, value)
        {
            self.report.error(expr.pos, message);
        }
        Some(expr.clone())
    }

    /// One of the metrics that are called by a word.
    fn metric(&self, name: &str, bound: &Bound) -> Option<Field> {
        let value = bound.value(name)?;
        let word = value.expr().and_then(Expr::word);
        let known = word.is_some_and(|word| METRICS.words.iter().any(|metric| word == metric));
        if let (Some(word), false) = (word, known) {
            let near = suggest::nearest(&word.to_string(), METRICS.words.iter().copied());
            let fix = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("a metric of your own is a text: `{name}: \"{word}\"`"),
            };
            let shown = suggest::list(METRICS.words);
            let message = format!("`{name}` is one of {shown}, found `{word}`; {fix}");
            self.report.error(value.pos, message);
            return None;
        }
        let word = bound.choice(name, METRICS.words)?;
        Some(field_of(&METRICS, word))
    }

    fn duration(&self, spec: &Spec, value: &Value, checked: &mut Checked) -> Option<Time> {
        let time = self.one_time("duration", spec.name, value)?;
        let literal = time.value.real();
        checked.duration = literal.map(|literal| (time.unit, literal, value.pos));
        Some(time)
    }

    fn period(&self, name: &str, least: f64, value: &Value) -> Option<Time> {
        let time = self.one_time(name, name, value)?;
        if let (rules::Unit::Steps, Some(steps)) = (time.unit, time.value.real())
            && let Err(message) = rules::long_enough(name, least, steps)
        {
            self.report.error(time.value.pos, message);
        }
        Some(time)
    }

    fn epochs(&self, name: &str, value: &Value) -> Option<Time> {
        let expr = self.single(name, value, "`10 epochs`")?;
        let unit = self.unit(name, value, "`10 epochs`")?;
        if !expr.check(HyperType::Float, self.head, self.report) {
            return None;
        }
        // The unit is wrong whatever the number is.
        let literal = expr.real().unwrap_or(1.0);
        if let Err(message) = rules::whole_epochs(name, unit, literal) {
            self.report.error(value.pos, message);
            return None;
        }
        Some(Time {
            value: expr.clone(),
            unit,
        })
    }

    /// The time given as `name`, of which `asking` needs the unit.
    fn one_time(&self, name: &str, asking: &str, value: &Value) -> Option<Time> {
        let expr = self.single(name, value, UNITS)?;
        self.time(name, expr, self.unit(asking, value, UNITS)?)
    }

    fn single<'v>(&self, name: &str, value: &'v Value, shown: &str) -> Option<&'v Expr> {
        let found = match &value.kind {
            ValueKind::Expr(expr) => return Some(expr),
            ValueKind::List(_) => "a list",
            ValueKind::Text(_) => "a text",
        };
        let message = format!("`{name}` is one time such as {shown}, found {found}");
        self.report.error(value.pos, message);
        None
    }

    fn moments(&self, name: &str, value: &Value, checked: &mut Checked) -> Option<Field> {
        let (exprs, shown) = match &value.kind {
            ValueKind::List(exprs) => (
                exprs.as_slice(),
                "`[30, 60] epochs`, `[500, 900] steps` or `[50, 75] %`",
            ),
            _ => (
                std::slice::from_ref(self.single(name, value, UNITS)?),
                "`30 epochs`, `500 steps` or `50 %`",
            ),
        };
        if exprs.is_empty() {
            let message = format!("`{name}` names no moment: `{name}: [30, 60, 80] epochs`");
            self.report.error(value.pos, message);
            return None;
        }
        let unit = self.unit(name, value, shown)?;
        let mut last: Option<f64> = None;
        let mut moments = Vec::new();
        for expr in exprs {
            let Some(time) = self.time(name, expr, unit) else {
                continue;
            };
            if let Some(next) = time.value.real() {
                if let Some(last) = last
                    && let Err(message) =
                        rules::rises((last, &unit.show(last)), (next, &unit.show(next)))
                {
                    self.report.error(expr.pos, message);
                }
                last = Some(next);
                checked.moments.push((unit, next, expr.pos));
            }
            moments.push(time);
        }
        Some(Field::Moments(moments))
    }

    /// The unit of time of `value`.
    fn unit(&self, asking: &str, value: &Value, shown: &str) -> Option<rules::Unit> {
        match value.unit {
            Some((Unit::Steps, _)) => Some(rules::Unit::Steps),
            Some((Unit::Epochs, _)) => Some(rules::Unit::Epochs),
            Some((Unit::Percent, _)) => Some(rules::Unit::Percent),
            Some((Unit::Times, pos)) => {
                let message = format!("`x` counts no time: write {shown}");
                self.report.error(pos, message);
                None
            }
            Some((Unit::Examples, pos)) => {
                let message = format!("`examples` counts a batch, not time: write {shown}");
                self.report.error(pos, message);
                None
            }
            None => {
                self.report
                    .error(value.pos, format!("`{asking}` needs a unit: {shown}"));
                None
            }
        }
    }

    fn time(&self, name: &str, expr: &Expr, unit: rules::Unit) -> Option<Time> {
        if !expr.check(HyperType::Float, self.head, self.report) {
            return None;
        }
        if let Some(value) = expr.real()
            && let Err(message) = unit.check(name, value)
        {
            self.report.error(expr.pos, message);
            return None;
        }
        Some(Time {
            value: expr.clone(),
            unit,
        })
    }
}

/// What the phase at `place` of [`PHASES`] may be given.
fn signature(place: usize) -> Signature {
    static PARAMS: LazyLock<Vec<Vec<Param>>> = LazyLock::new(|| {
        let of = |spec: &&Spec| {
            let params = spec.params.iter();
            let params = params.map(|param| match spec.requires(param) {
                true => Param::required(param.name),
                false => Param::optional(param.name),
            });
            params.collect()
        };
        PHASES.iter().map(of).collect()
    });
    let first = PHASES[place].params.first();
    let positional = first.is_some_and(|first| matches!(first.kind, Kind::Duration));
    Signature {
        params: &PARAMS[place],
        positional: usize::from(positional),
    }
}

/// The variant for `word`.
fn field_of(words: &Words, word: &str) -> Field {
    let place = words.words.iter().position(|one| *one == word);
    Field::Word(words.ty, words.variants[place.unwrap_or_default()])
}

/// What may be left out: `None` where it was given and is wrong.
fn optional(value: Option<&Value>, field: impl FnOnce() -> Option<Field>) -> Option<Field> {
    match value {
        None => Some(Field::Optional(None)),
        Some(_) => field().map(|field| Field::Optional(Some(Box::new(field)))),
    }
}

/// What is known of the argument `name` while compiling. A number that was left out is absent, whatever
/// its default.
fn known(spec: &Spec, name: &str, bound: &Bound) -> Known {
    let kind = spec.params.iter().find(|param| param.name == name);
    let kind = kind.map(|param| param.kind);
    let expr = match (kind, bound.value(name).map(|value| &value.kind)) {
        (Some(Kind::Word(_, Some(default))), None) => return Known::Word(default),
        (_, None) => return Known::Absent,
        (_, Some(ValueKind::Text(_))) => return Known::Text,
        (_, Some(ValueKind::List(_))) => return Known::Unknown,
        (_, Some(ValueKind::Expr(expr))) => expr,
    };
    match (kind, &expr.node) {
        (Some(Kind::Word(words, _)), Node::Name(word)) => {
            let word = words.words.iter().find(|one| word == **one);
            word.map_or(Known::Unknown, |word| Known::Word(word))
        }
        (_, Node::Bool(true)) => Known::Word("true"),
        _ => expr.real().map_or(Known::Unknown, Known::Number),
    }
}
