//! Check: statements to the IR. Every rule that can be decided without running is asked; every
//! mistake is reported at its own token.

mod phase;

use super::ir::{Phase, Plan, Scaling, Schedule};
use super::parse::{Declaration, Peak};
use super::rules::{self, Range};
use crate::report::{Pos, Report};
use crate::syntax::{Call, Expr, Head, HyperType, Unit};

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
                checker.phase(call, false);
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
        let calls = calls.iter().enumerate();
        let checked: Vec<_> = calls
            .map(|(place, call)| self.phase(call, place == 0))
            .collect();
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
