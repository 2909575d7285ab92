//! Check: statements to the IR. Every rule that can be decided without running is asked; every
//! mistake is reported at its own token.

use std::sync::LazyLock;

use proc_macro2::Ident;

use super::ir::{Field, Phase, Plan, Scaling, Schedule, Time};
use super::parse::{Declaration, Peak};
use super::rules::{self, Kind, PHASES, Range, Spec, Unlimited};
use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{Bound, Call, Expr, Head, HyperType, Param, Signature, Unit, Value, ValueKind};

pub fn check(declaration: Declaration, report: &Report) -> Schedule {
    let Declaration {
        head,
        peaks,
        chains,
        broken,
    } = declaration;
    let name = &head.name;
    let checker = Checker {
        head: &head,
        report,
    };
    let peak = match peaks.as_slice() {
        [] => {
            if !broken {
                report.error(name, format!("`{name}` has no peak rate; add `peak 0.1;`"));
            }
            None
        }
        [peak, rest @ ..] => {
            for extra in rest {
                report.error(
                    extra.pos,
                    format!("`{name}` has a peak already; there is one `peak`"),
                );
            }
            checker.peak(peak)
        }
    };
    let phases = match chains.as_slice() {
        [] => {
            if !broken {
                let message = format!(
                    "`{name}` has no phase; add a chain such as `warmup(5 epochs) -> cosine;`",
                );
                report.error(name, message);
            }
            Vec::new()
        }
        [chain, rest @ ..] => {
            for extra in rest.iter().filter_map(|chain| chain.first()) {
                let message = format!(
                    "a schedule is one chain of phases; join this to the one before: `-> {}`",
                    extra.name,
                );
                report.error(extra.pos, message);
            }
            let phases = checker.chain(chain);
            for call in rest.iter().flatten() {
                checker.phase(call);
            }
            phases
        }
    };
    // Numbers and times are all that a schedule is made of.
    head.every_hyper_is_used(&[HyperType::Int, HyperType::Float], report);
    let plan = match peak {
        Some((peak, scaling)) if report.is_clean() => Some(Plan {
            peak,
            scaling,
            phases,
        }),
        _ => None,
    };
    Schedule { head, plan }
}

struct Checker<'a> {
    head: &'a Head,
    report: &'a Report,
}

/// A phase and what later rules ask about it.
struct Checked {
    phase: Phase,
    /// Where the phase stands.
    pos: Pos,
    /// Its duration, if it has one that is a literal, and where that stands.
    duration: Option<(rules::Unit, f64, Pos)>,
    /// Whether it has a duration.
    limited: bool,
    /// Its moments that are literals.
    moments: Vec<(rules::Unit, f64, Pos)>,
}

/// What may stand where a unit of time is missing.
const UNITS: &str = "`5 epochs`, `500 steps` or `5 %`";

impl Checker<'_> {
    fn peak(&self, peak: &Peak) -> Option<(Expr, Option<Scaling>)> {
        let value = self.number("peak", Range::Positive, &peak.value);
        let Some(scaling) = &peak.scaling else {
            return Some((value?, None));
        };
        match scaling.unit {
            Some((Unit::Examples, _)) => {}
            Some((_, pos)) => {
                self.report
                    .error(pos, "a batch is counted in `examples`: `per 256 examples`");
            }
            None => {
                let message = "`per` needs its unit: `per 256 examples`";
                self.report.error(scaling.per.pos, message);
            }
        }
        let per = self.number("per", Range::Positive, &scaling.per)?;
        Some((
            value?,
            Some(Scaling {
                law: scaling.law,
                per,
            }),
        ))
    }

    fn chain(&self, calls: &[Call]) -> Vec<Phase> {
        let checked: Vec<_> = calls.iter().map(|call| self.phase(call)).collect();
        // The order is judged where every phase is known; an unknown one may be of any kind.
        let known: Option<Vec<&Checked>> = checked.iter().map(Option::as_ref).collect();
        if let Some(chain) = known {
            let order: Vec<_> = chain
                .iter()
                .map(|one| (one.phase.spec, one.limited))
                .collect();
            let wrong = rules::order(&order);
            for (place, message) in &wrong {
                self.report.error(chain[*place].pos, message);
            }
            if wrong.is_empty() {
                self.shares(&chain);
                self.milestones(&chain);
            }
        }
        checked.into_iter().flatten().map(|one| one.phase).collect()
    }

    /// Durations in % must leave something to the phases behind them.
    fn shares(&self, chain: &[&Checked]) {
        let mut sum = 0.0;
        for one in chain {
            match one.duration {
                Some((rules::Unit::Percent, share, pos)) => {
                    sum += share;
                    if sum > 100.0 + 1e-9 {
                        let message = format!(
                            "the durations up to here come to {sum} % of training, at most 100 % is there",
                        );
                        self.report.error(pos, message);
                        return;
                    }
                }
                _ if sum >= 100.0 && !one.limited => {
                    let message = format!(
                        "no training is left for `{}`: the durations before it come to 100 %",
                        one.phase.spec.name,
                    );
                    self.report.error(one.pos, message);
                    return;
                }
                _ => {}
            }
        }
    }

    /// A moment must not lie before its phase, where both are known in one unit.
    fn milestones(&self, chain: &[&Checked]) {
        let mut start = Some((None, 0.0));
        for one in chain {
            for (unit, moment, pos) in &one.moments {
                let Some((Some(counted), begins)) = start else {
                    continue;
                };
                if counted != *unit {
                    continue;
                }
                let (begins, moment) = ((begins, unit.show(begins)), (*moment, unit.show(*moment)));
                let name = one.phase.spec.name;
                let reached = rules::reached(name, (begins.0, &begins.1), (moment.0, &moment.1));
                if let Err(message) = reached {
                    self.report.error(*pos, message);
                }
            }
            start = match (start, one.duration) {
                (Some((None, _)), Some((unit, value, _))) => Some((Some(unit), value)),
                (Some((Some(counted), sum)), Some((unit, value, _))) if counted == unit => {
                    Some((Some(unit), sum + value))
                }
                _ => None,
            };
        }
    }

    fn phase(&self, call: &Call) -> Option<Checked> {
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
        let known = |key: &Ident| spec.params.iter().any(|param| key == param.name);
        let misread = call.broken
            || call
                .args
                .iter()
                .any(|arg| arg.key.as_ref().is_some_and(|key| !known(key)));
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
            Kind::Number(range, default) => {
                if value.is_none() {
                    return default.map(Field::Default);
                }
                let expr = bound.float(name)?;
                if let Some(value) = expr.real()
                    && let Err(message) = range.check(name, value)
                {
                    self.report.error(expr.pos, message);
                }
                Some(Field::Number(expr.clone()))
            }
            Kind::Duration if value.is_none() && !spec.requires(param) => {
                Some(Field::Optional(None))
            }
            Kind::Duration | Kind::Period => {
                let duration = matches!(param.kind, Kind::Duration);
                let asking = if duration { spec.name } else { name };
                let value = value?;
                let ValueKind::Expr(expr) = &value.kind else {
                    let message = format!("`{name}` is one time such as {UNITS}, found a list");
                    self.report.error(value.pos, message);
                    return None;
                };
                let time = self.time(name, expr, self.unit(asking, value, UNITS)?)?;
                if duration {
                    let literal = time.value.real();
                    checked.duration = literal.map(|literal| (time.unit, literal, value.pos));
                }
                Some(match duration && !spec.requires(param) {
                    true => Field::Optional(Some(time)),
                    false => Field::Time(time),
                })
            }
            Kind::Moments => self.moments(name, value?, checked),
        }
    }

    fn moments(&self, name: &str, value: &Value, checked: &mut Checked) -> Option<Field> {
        let exprs = match &value.kind {
            ValueKind::Expr(expr) => std::slice::from_ref(expr),
            ValueKind::List(exprs) => exprs.as_slice(),
        };
        if exprs.is_empty() {
            let message = format!("`{name}` names no moment: `{name}: [30, 60, 80] epochs`");
            self.report.error(value.pos, message);
            return None;
        }
        let shown = match value.kind {
            ValueKind::Expr(_) => "`30 epochs`, `500 steps` or `50 %`",
            ValueKind::List(_) => "`[30, 60] epochs`, `[500, 900] steps` or `[50, 75] %`",
        };
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

    fn number(&self, name: &str, range: Range, expr: &Expr) -> Option<Expr> {
        if !expr.check(HyperType::Float, self.head, self.report) {
            return None;
        }
        if let Some(value) = expr.real()
            && let Err(message) = range.check(name, value)
        {
            self.report.error(expr.pos, message);
        }
        Some(expr.clone())
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
