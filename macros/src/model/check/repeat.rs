//! `repeat`: a block that runs several times, each time with parameters of its own.

use proc_macro2::Ident;

use super::{Flow, Lowering, Place};
use crate::model::dim::{Dim, Shape};
use crate::model::ir::{Block, FieldKind, Op, OpKind, Repeat, Written};
use crate::model::parse;
use crate::model::paths;
use crate::model::require::{Condition, Loop, message};
use crate::report::Pos;
use crate::syntax::{Expr, Local, LocalKind};

/// No network of today is deeper; a `repeat` beyond it, alone or with those around it, has a slip
/// in it.
const MOST_REPETITIONS: i128 = 1 << 16;

/// Up to so many repetitions with an index are written out one by one.
const WRITTEN_OUT: i128 = 64;

/// So many repetitions are looked at by themselves. Each takes its time, and what stands within a
/// `repeat` that changes the shape is looked at twice as often as the `repeat` itself.
const MOST_APART: usize = 4096;

impl Lowering<'_> {
    pub(super) fn repeat(
        &mut self,
        mut flow: Flow,
        repeat: &parse::Repeat,
        pos: Pos,
        at: &Place,
    ) -> Flow {
        self.needs_numbers(&mut flow, "`repeat`", pos);
        let index = repeat.index.as_ref();
        let from = match index {
            None => 0,
            Some(index) => match self.first(index, repeat.from.as_ref()) {
                Some(from) => from,
                None => return Flow::UNKNOWN,
            },
        };
        let (count, all) = self.repetitions(&repeat.to, index.map(|_| from));
        if count.is_unknown() {
            return Flow::UNKNOWN;
        }
        if let Some(index) = index.filter(|index| !repeat.block.with(index, 0).1) {
            let message = format!("the index `{index}` is never used; leave it out");
            self.report.error(index, message);
        }
        let most = count.number().filter(|count| *count <= WRITTEN_OUT);
        // What is no plain number has its first repetition written out at most: that may change
        // the shape, and the others keep it.
        let most = most.unwrap_or(1);
        for number in 0..=most {
            if count.number() == Some(number) {
                break;
            }
            let first = i128::from(from) + number;
            let rest = Body {
                block: &repeat.block,
                index: index.map(|index| (index, first)),
                from: Dim::of(first),
                to: count.add(&Dim::of(i128::from(from))),
                written: number as usize,
            };
            // Repetitions that keep the shape are one piece of code; behind the second one they
            // would have been.
            let last = number == most;
            if self.apart > MOST_APART {
                let message = format!(
                    "too many repetitions here, with those around them, differ in their shapes: \
                     each is looked at by itself, and there are more than {MOST_APART}; take a \
                     `repeat` out"
                );
                self.report.error(pos, message);
                return Flow::of(flow.var, Shape::UNKNOWN);
            }
            if (number < 2 || last)
                && let Some(end) = self.alike(&flow, &rest, all.clone(), last, pos, at)
            {
                return end;
            }
            if last {
                return Flow::of(flow.var, Shape::UNKNOWN);
            }
            if number == 0 && count.number().is_none() {
                let message = message![
                    "`repeat` changes the shape here, so it runs at least once; found ",
                    &count,
                ];
                let once = Condition::Within(count.clone(), 1, MOST_REPETITIONS);
                if !self.checks.require(once, repeat.to.pos, "repeat", message) {
                    return Flow::UNKNOWN;
                }
            }
            let mistakes = self.report.count();
            flow = self.written(flow, repeat, number, first, &all, at);
            // One mistake is not said of every repetition.
            if self.report.count() > mistakes {
                return Flow::of(flow.var, Shape::UNKNOWN);
            }
        }
        flow
    }

    /// A repetition that is written out.
    fn written(
        &mut self,
        flow: Flow,
        repeat: &parse::Repeat,
        number: i128,
        value: i128,
        all: &Dim,
        at: &Place,
    ) -> Flow {
        self.apart += 1;
        let around = std::mem::replace(&mut self.repetitions, all.clone());
        let block = match &repeat.index {
            Some(index) => repeat.block.with(index, value as u64).0,
            None => repeat.block.clone(),
        };
        let path = [at.path.as_slice(), &[number.to_string()]].concat();
        let place = Place {
            around: at.labels.clone(),
            labels: path.clone(),
            path,
            ..at.clone()
        };
        let first = self.blocks[at.block].ops.len();
        let inner = self.blocks[at.block].written.len();
        self.indices.extend(repeat.index.clone());
        let flow = self.chain(flow, &block.steps, &place, 0);
        if repeat.index.is_some() {
            self.indices.pop();
        }
        let Block {
            written,
            ops,
            fields,
            ..
        } = &mut self.blocks[at.block];
        // Numbered labels take the place of the number: then nothing stands below it.
        let below = |op: &Op| match &op.kind {
            OpKind::Layer { row, .. } => row.path.starts_with(&place.path),
            OpKind::Repeat { field, .. } => fields[*field].path.starts_with(&place.path),
            _ => false,
        };
        if ops[first..].iter().any(below) {
            let this = Written {
                path: at.path.clone(),
                number: number as usize,
                ops: first..ops.len(),
            };
            written.insert(inner, this);
        }
        self.repetitions = around;
        flow
    }

    /// Where the range of an index begins: a plain number.
    fn first(&mut self, index: &Ident, from: Option<&Expr>) -> Option<u32> {
        let taken = self.head.hyper(index).is_some() || self.head.local(index).is_some();
        if taken || self.indices.contains(index) {
            let message = format!("`{index}` stands for a number already; choose another name");
            self.report.error(index, message);
            return None;
        }
        let from = from?;
        let number = self.checks.dim(from).number();
        let number = number.and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            let message = "the range of an index begins with a plain number, such as 0";
            self.report.error(from.pos, message);
        }
        number
    }

    /// Repetitions that are one piece of code, and so keep the shape. Where they do not, or where
    /// something is wrong, nothing is done unless it is `surely` so.
    fn alike(
        &mut self,
        flow: &Flow,
        body: &Body,
        all: Dim,
        surely: bool,
        pos: Pos,
        at: &Place,
    ) -> Option<Flow> {
        let before = (
            self.blocks.len(),
            self.own.len(),
            self.checks.left.len(),
            self.checks.late.len(),
            self.report.count(),
        );
        let count = body.to.sub(&body.from);
        let name = paths::body_name(&self.blocks, at.block, &at.path);
        let block = self.blocks.len();
        let rank = flow.shape.rank().unwrap_or(2);
        self.blocks.push(Block {
            name,
            body: None,
            fields: Vec::new(),
            ops: Vec::new(),
            written: Vec::new(),
            vars: 0,
        });
        let start = Flow {
            var: self.var(block),
            ..flow.clone()
        };
        let params = std::mem::replace(&mut self.params, Dim::of(0));
        let labels = std::mem::take(&mut self.labels);
        let around = std::mem::replace(&mut self.repetitions, all);
        if let Some((index, low)) = body.index {
            self.checks.loops.push(Loop {
                name: index.clone(),
                from: body.from.clone(),
                to: body.to.clone(),
            });
            self.head.locals.borrow_mut().push(Local {
                name: index.clone(),
                kind: LocalKind::Index(low),
            });
        }
        let place = Place {
            block,
            path: Vec::new(),
            labels: Vec::new(),
            around: Vec::new(),
            pos,
        };
        let end = self.chain(start, &body.block.steps, &place, 0);
        let leave = |lowering: &mut Self| {
            if body.index.is_some() {
                lowering.checks.loops.pop();
                lowering.head.locals.borrow_mut().pop();
            }
        };
        self.labels = labels;
        self.repetitions = around;
        let (blocks, own, left, late, mistakes) = before;
        if !surely && (flow.shape != end.shape || self.report.count() > mistakes) {
            self.apart += 1;
            self.report.forget(mistakes);
            self.blocks.truncate(blocks);
            self.own.truncate(own);
            self.checks.left.truncate(left);
            self.checks.late.truncate(late);
            self.params = params;
            leave(self);
            return None;
        }
        let indexed = body
            .index
            .is_some_and(|(index, _)| self.params.names_index(&index.to_string()));
        // What differs from repetition to repetition is left to the summary.
        self.params = if indexed {
            params
        } else {
            params.add(&self.params.mul(&count))
        };
        self.blocks[block].body = Some((rank, end.var));
        let words = [
            "behind the first repetition `repeat` keeps the shape",
            "goes in",
            ", or write a plain number of repetitions, each of which may change it",
        ];
        let shape = self.agree(&flow.shape, &end.shape, pos, "repeat", words);
        leave(self);
        let kind = FieldKind::Repeat(Repeat {
            block,
            index: body.index.map(|(index, _)| index.clone()),
            from: body.from.clone(),
            to: body.to.clone(),
            written: body.written,
        });
        let field = self.field(at, kind);
        let kind = OpKind::Repeat {
            field,
            input: flow.var,
        };
        let var = self.op(at.block, &shape, kind);
        Some(Flow::of(var, shape))
    }

    /// How often a `repeat` up to `to` runs its block, and how often with those around it.
    fn repetitions(&mut self, to: &Expr, from: Option<u32>) -> (Dim, Dim) {
        let what = match from {
            None => "the number of repetitions",
            Some(_) => "the end of the range",
        };
        if !to.is_early(what, self.head, self.report) {
            return (Dim::UNKNOWN, Dim::UNKNOWN);
        }
        // A hyper-parameter may say that there is none, which then changes nothing.
        let low = i128::from(from.is_some() || to.literal().is_some());
        let end = self.whole(to, what, "repeat", low, MOST_REPETITIONS);
        let first = i128::from(from.unwrap_or(0));
        let count = end.sub(&Dim::of(first));
        if first > 0 {
            let message = message![
                format!("the range from {first} on is empty: it ends at "),
                &end
            ];
            let condition = Condition::Within(count.clone(), 1, MOST_REPETITIONS);
            if !self.checks.require(condition, to.pos, "repeat", message) {
                return (Dim::UNKNOWN, Dim::UNKNOWN);
            }
        }
        let all = self.repetitions.mul(&count);
        if all == count {
            return (count, all);
        }
        let message = message![
            format!(
                "the number of repetitions, with the `repeat`s around this one, is at most \
                 {MOST_REPETITIONS}, found "
            ),
            &all
        ];
        // That each of them is at least 1 is said of each.
        let condition = Condition::Within(all.clone(), 0, MOST_REPETITIONS);
        match self.checks.require(condition, to.pos, "repeat", message) {
            true => (count, all),
            false => (Dim::UNKNOWN, Dim::UNKNOWN),
        }
    }
}

/// Repetitions that are one piece of code: those with an index from `from` on, below `to`.
struct Body<'a> {
    block: &'a parse::Block,
    /// The index, and what it is never below.
    index: Option<(&'a Ident, i128)>,
    from: Dim,
    to: Dim,
    /// How many before these are written out.
    written: usize,
}
