//! Names, inputs, sources: which value stands where.

use proc_macro2::Ident;
use syn::ext::IdentExt;

use super::{Excused, Flow, Lowering, Named, Place};
use crate::model::dim::{Dim, Shape};
use crate::model::ir::{Input, Join, OpKind};
use crate::model::parse::{Source, SourceKind, Step};
use crate::model::require::{Condition, LARGEST, message, shape_parts};
use crate::report::Pos;
use crate::suggest;
use crate::syntax::{Expr, HyperType, Local, LocalKind, Node, Value, ValueKind};

impl Lowering<'_> {
    pub(super) fn input(&mut self, name: &Ident, integers: bool, dims: &Value) -> Input {
        let shape = match &dims.kind {
            ValueKind::List(dims) if dims.is_empty() && !integers => {
                self.report
                    .error(name, "an input needs at least one dimension: `[features]`");
                Shape::UNKNOWN
            }
            ValueKind::List(dims) => {
                let place = format!("input {name}");
                let dims = dims.iter().map(|expr| match &expr.node {
                    Node::Any(any) => self.any(any),
                    Node::Name(word) if self.names_nothing(word) => {
                        let message = format!(
                            "no number is called `{word}`; a dimension that only the tensor knows \
                             is declared as `any length`, in the first shape that has it"
                        );
                        self.report.error(word, message);
                        Dim::UNKNOWN
                    }
                    _ => self.dimension(expr, &place),
                });
                Shape::of(dims.collect())
            }
            ValueKind::Expr(_) | ValueKind::Text(_) => Shape::UNKNOWN,
        };
        if let Some((_, pos)) = dims.unit {
            self.report.error(pos, "a unit has no place here");
        }
        let flow = Flow {
            integers,
            ..Flow::of(self.var(0), shape.clone())
        };
        self.declare(name, flow, true);
        Input {
            name: name.clone(),
            shape,
            integers,
        }
    }

    /// Declares a dimension that is known only when the tensor arrives.
    fn any(&mut self, name: &Ident) -> Dim {
        if self.head.hyper(name).is_some() || self.head.local(name).is_some() {
            let message = format!("`{name}` is declared already; leave `any` out to mean the same");
            self.report.error(name, message);
        }
        self.head.locals.borrow_mut().push(Local {
            name: name.clone(),
            kind: LocalKind::Any,
        });
        Dim::any(name)
    }

    /// Whether `word` stands for no number, nor is near to one that does.
    fn names_nothing(&self, word: &Ident) -> bool {
        let head = self.head;
        let locals = head.locals.borrow();
        let locals = locals.iter().map(|local| &local.name);
        let hypers = head.hypers.iter().map(|hyper| &hyper.name);
        let names = locals.chain(hypers).chain(&head.unread);
        let names: Vec<_> = names.map(Ident::to_string).collect();
        suggest::nearest(&word.to_string(), names.iter().map(String::as_str)).is_none()
    }

    /// A dimension that is written down.
    pub(super) fn dimension(&mut self, expr: &Expr, place: &str) -> Dim {
        self.whole(expr, "a dimension", place, 1, LARGEST)
    }

    /// A whole number between `low` and `most`.
    pub(super) fn whole(
        &mut self,
        expr: &Expr,
        what: &str,
        place: &str,
        low: i128,
        most: i128,
    ) -> Dim {
        if !expr.check(HyperType::Int, self.head, self.report) {
            return Dim::UNKNOWN;
        }
        let dim = self.checks.dim(expr);
        let message = message![format!("{what} is between {low} and {most}, found "), &dim];
        let condition = Condition::Within(dim.clone(), low, most);
        let fits = self.checks.require(condition, expr.pos, place, message);
        if fits { dim } else { Dim::UNKNOWN }
    }

    pub(super) fn binding(
        &mut self,
        name: &Ident,
        assertion: Option<&Value>,
        source: &Source,
        chain: &[Step],
    ) {
        let place = Place {
            block: 0,
            path: vec![name.unraw().to_string()],
            labels: Vec::new(),
            around: Vec::new(),
            pos: name.into(),
        };
        let mut steps = 0;
        let flow = self.source(source, &place, &mut steps);
        let flow = self.chain(flow, chain, &place, steps);
        if let Some(assertion) = assertion {
            self.assert_shape(name, assertion, &flow.shape);
        }
        self.declare(name, flow, false);
    }

    /// The value that a chain begins with. `steps` counts the chains in it, whose paths are
    /// numbered as steps of the whole.
    fn source(&mut self, source: &Source, at: &Place, steps: &mut usize) -> Flow {
        match &source.kind {
            SourceKind::Name(name) => self.flow(name),
            SourceKind::Chain(inner, chain) => {
                let flow = self.source(inner, at, steps);
                let mut place = at.clone();
                place.path.push(steps.to_string());
                *steps += usize::from(!chain.is_empty());
                self.chain(flow, chain, &place, 0)
            }
            SourceKind::Join(join, sides) => {
                let [left, right] = &**sides;
                let flows = [left, right].map(|side| (self.source(side, at, steps), side.pos));
                self.join(*join, flows, source.pos, at)
            }
            SourceKind::Concat { parts, dim } => {
                let flows = parts.iter();
                let flows = flows.map(|part| (self.source(part, at, steps), part.pos));
                let flows = flows.collect();
                self.concat(flows, dim.as_ref(), source.pos, at)
            }
        }
    }

    fn join(&mut self, join: Join, flows: [(Flow, Pos); 2], pos: Pos, at: &Place) -> Flow {
        let [(mut left, left_pos), (mut right, right_pos)] = flows;
        let sign = match join {
            Join::Add => "+",
            Join::Mul => "*",
        };
        for (flow, pos) in [(&mut left, left_pos), (&mut right, right_pos)] {
            self.needs_numbers(flow, &format!("`{sign}`"), pos);
        }
        let text = format!("`{sign}` takes two values of one shape, or with a 1 where they differ");
        let same = left.shape == right.shape;
        let shape = self.spread(&left.shape, &right.shape, pos, sign, &text);
        let kind = OpKind::Join {
            join,
            inputs: [left.var, right.var],
            same,
        };
        let var = self.op(at.block, &shape, kind);
        Flow::of(var, shape)
    }

    /// The shape of two values joined element by element; a dimension of 1 is spread over the
    /// other's.
    fn spread(&mut self, a: &Shape, b: &Shape, pos: Pos, place: &str, text: &str) -> Shape {
        let (Some(left), Some(right)) = (&a.0, &b.0) else {
            return if a.0.is_some() { a.clone() } else { b.clone() };
        };
        let mut message = message![format!("{text}: ")];
        message.extend(shape_parts(a));
        message.push(" and ".into());
        message.extend(shape_parts(b));
        if left.len() != right.len() {
            let never = Condition::Equal(Dim::of(0), Dim::of(1));
            self.checks.require(never, pos, place, message);
            return Shape::UNKNOWN;
        }
        let mut dims = Vec::new();
        for (a, b) in left.iter().zip(right) {
            let one = Dim::of(1);
            let equal = Condition::Equal(a.clone(), b.clone());
            if *a == one || *b == one {
                dims.push(if *a == one { b } else { a }.clone());
            } else if self.checks.require(equal, pos, place, message.clone()) {
                dims.push(if a.is_unknown() { b } else { a }.clone());
            } else {
                return Shape::UNKNOWN;
            }
        }
        Shape::of(dims)
    }

    fn concat(
        &mut self,
        mut flows: Vec<(Flow, Pos)>,
        dim: Option<&Expr>,
        pos: Pos,
        at: &Place,
    ) -> Flow {
        for (flow, pos) in &mut flows {
            self.needs_numbers(flow, "`concat`", *pos);
        }
        let (dim, dim_pos) = match dim {
            None => (Some(0), pos),
            Some(Expr {
                node: Node::Int(dim),
                pos,
            }) => (usize::try_from(*dim).ok(), *pos),
            Some(other) => {
                let message = "`dim` is a plain number: 0 is the first dimension of an example";
                self.report.error(other.pos, message);
                return Flow::UNKNOWN;
            }
        };
        if flows.len() < 2 {
            let message = "`concat` takes at least two values: `concat(left, right, dim: 0)`";
            self.report.error(pos, message);
            return Flow::UNKNOWN;
        }
        let mut shapes = flows.iter().filter_map(|(flow, _)| flow.shape.0.as_ref());
        let Some(first) = shapes
            .next()
            .filter(|_| shapes.clone().count() + 1 == flows.len())
        else {
            return Flow::UNKNOWN;
        };
        let rank = first.len();
        let Some(dim) = dim.filter(|dim| *dim < rank) else {
            let message = format!(
                "`concat` joins along one of the {rank} dimensions of {}, counted from 0",
                flows[0].0.shape,
            );
            self.report.error(dim_pos, message);
            return Flow::UNKNOWN;
        };
        let mut joined = first.clone();
        for ((flow, pos), dims) in flows[1..].iter().zip(shapes) {
            let mut message = message![format!(
                "`concat` joins along dimension {dim}, so all others must be the same: "
            )];
            message.extend(shape_parts(&flows[0].0.shape));
            message.push(" and ".into());
            message.extend(shape_parts(&flow.shape));
            let others = first
                .iter()
                .zip(dims)
                .enumerate()
                .filter(|(i, _)| *i != dim);
            let mut conditions: Vec<_> = others
                .map(|(_, (a, b))| Condition::Equal(a.clone(), b.clone()))
                .collect();
            if dims.len() != rank {
                conditions = vec![Condition::Equal(Dim::of(0), Dim::of(1))];
            }
            for condition in conditions {
                if !self
                    .checks
                    .require(condition, *pos, "concat", message.clone())
                {
                    return Flow::UNKNOWN;
                }
            }
            joined[dim] = joined[dim].add(&dims[dim]);
        }
        let shape = Shape::of(joined);
        let inputs = flows.iter().map(|(flow, _)| flow.var).collect();
        let kind = OpKind::Concat {
            inputs,
            dim: dim + 1,
            shape: shape.clone(),
        };
        let var = self.op(at.block, &shape, kind);
        Flow::of(var, shape)
    }

    /// Reports integers where `what` needs real numbers.
    pub(super) fn needs_numbers(&mut self, flow: &mut Flow, what: &str, pos: Pos) {
        // What follows is not blamed for it too.
        if std::mem::take(&mut flow.integers) {
            let message = format!(
                "{what} needs real numbers, found integers; put an `embedding` before it, or \
                 leave `int` out of the input",
            );
            self.report.error(pos, message);
        }
    }

    pub(super) fn declare(&mut self, name: &Ident, flow: Flow, input: bool) {
        if let Some(hyper) = self.head.hyper(name) {
            let message = format!(
                "`{}` is already a hyper-parameter; choose another name",
                hyper.name
            );
            self.report.error(name, message);
        }
        if self.values.iter().any(|value| value.name == *name) {
            let message = format!("the name `{name}` is declared twice; give this another");
            self.report.error(name, message);
            self.doubled.insert(name.unraw().to_string());
            self.excuse(name.to_string());
        }
        self.values.push(Named {
            name: name.clone(),
            flow,
            used: false,
            input,
        });
    }

    /// The value called `name`, now used; reported if there is none.
    pub(super) fn flow(&mut self, name: &Ident) -> Flow {
        if let Some(value) = self.values.iter_mut().rfind(|value| value.name == *name) {
            value.used = true;
            return value.flow.clone();
        }
        let text = name.to_string();
        let names: Vec<_> = self
            .values
            .iter()
            .map(|value| value.name.to_string())
            .collect();
        let names = names.iter().map(String::as_str);
        let near = suggest::nearest(&text, names.clone()).map(str::to_owned);
        if self.later.contains(&text) {
            let message = format!("`{text}` is declared further down; move this below its `let`");
            self.report.error(name, message);
            self.excuse(text);
        } else if self.no_input && near.is_none() {
            let message = format!(
                "no value is called `{text}` here, and `{}` has no input: add \
                 `input {text}: [1, 28, 28];`, the shape of one example",
                self.head.name,
            );
            self.report.error(name, message);
            self.no_input = false;
            self.declare(name, Flow::UNKNOWN, true);
            self.excuse(text);
        } else {
            let hint = suggest::hint(&text, "the values so far are", names);
            self.report
                .error(name, format!("no value is called `{text}` here{hint}"));
            match near {
                Some(near) => self.excuse(near),
                None => self.excused = Excused::All,
            }
        }
        Flow::UNKNOWN
    }

    /// Does not blame `name` for being unused.
    pub(super) fn excuse(&mut self, name: String) {
        if let Excused::These(names) = &mut self.excused {
            names.insert(name);
        }
    }

    pub(super) fn unused(&self) {
        let Excused::These(excused) = &self.excused else {
            return;
        };
        for value in self.values.iter().filter(|value| !value.used) {
            if !excused.contains(&value.name.to_string()) {
                let what = if value.input { "input" } else { "value" };
                let name = &value.name;
                let message = format!("the {what} `{name}` is never used; use it, or leave it out");
                self.report.error(name, message);
            }
        }
    }

    fn assert_shape(&mut self, name: &Ident, assertion: &Value, found: &Shape) {
        let ValueKind::List(asserted) = &assertion.kind else {
            let message = "expected a shape in brackets, such as `[32, 14, 14]`";
            self.report.error(assertion.pos, message);
            return;
        };
        let place = format!("let {name}");
        let dims: Vec<_> = asserted
            .iter()
            .map(|expr| self.dimension(expr, &place))
            .collect();
        let Some(actual) = &found.0 else { return };
        let asserted_shape = Shape::of(dims.clone());
        if actual.len() != dims.len() {
            let message =
                format!("`{name}` is declared as {asserted_shape}, but its shape is {found}");
            self.report.error(assertion.pos, message);
            return;
        }
        for ((expr, asserted), actual) in asserted.iter().zip(&dims).zip(actual) {
            let mut message = message![format!("`{name}` is declared as ")];
            message.extend(shape_parts(&asserted_shape));
            message.push(", but its shape is ".into());
            message.extend(shape_parts(found));
            let condition = Condition::Equal(asserted.clone(), actual.clone());
            if !self.checks.require(condition, expr.pos, &place, message) {
                break;
            }
        }
    }

    /// The shape of what goes in and comes out of a block that must keep it. Where one of the two
    /// is unknown the other tells it; where they differ, one mistake is enough.
    pub(super) fn agree(
        &mut self,
        a: &Shape,
        b: &Shape,
        pos: Pos,
        place: &str,
        [text, comes, help]: [&str; 3],
    ) -> Shape {
        let (Some(from), Some(to)) = (&a.0, &b.0) else {
            return if a.0.is_some() { a.clone() } else { b.clone() };
        };
        let mut message = message![format!("{text}: ")];
        message.extend(shape_parts(a));
        message.push(format!(" {comes}, ").into());
        message.extend(shape_parts(b));
        message.push(format!(" comes out; make the two shapes the same{help}").into());
        if from.len() != to.len() {
            let never = Condition::Equal(Dim::of(0), Dim::of(1));
            self.checks.require(never, pos, place, message);
            return Shape::UNKNOWN;
        }
        for (from, to) in from.iter().zip(to) {
            let equal = Condition::Equal(from.clone(), to.clone());
            if !self.checks.require(equal, pos, place, message.clone()) {
                return Shape::UNKNOWN;
            }
        }
        let known = |(from, to): (&Dim, &Dim)| if from.is_unknown() { to } else { from }.clone();
        Shape::of(from.iter().zip(to).map(known).collect())
    }
}
