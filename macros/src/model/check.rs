//! Check: statements to the IR. Names are resolved, shapes inferred, and every rule asked; every
//! mistake is reported at its own token.

use std::collections::BTreeSet;

use proc_macro2::Ident;
use syn::ext::IdentExt;

use super::dim::{Dim, Shape};
use super::ir::{Block, Callee, Field, FieldKind, Input, Network, Op, OpKind, Row, Var};
use super::layers::{self, LAYERS, Rule};
use super::loss;
use super::parse::{self, Declaration, Statement, Step, StepKind};
use super::paths;
use super::require::{Checks, Condition, LARGEST, message, shape_parts};
use crate::report::{Pos, Report};
use crate::suggest;
use crate::syntax::{Call, Expr, Head, HyperType, Value, ValueKind};

/// No network of today has more parameters; a configuration that asks for more has a slip in it.
const MOST_PARAMETERS: i128 = 1 << 40;

/// No network of today is deeper; a `repeat` beyond it, alone or with those around it, has a slip
/// in it.
const MOST_REPETITIONS: i128 = 1 << 16;

/// The traits that every network has.
const GIVEN: [&str; 4] = ["Clone", "Debug", "Display", "Module"];

/// A named value of the declaration.
struct Named {
    name: Ident,
    var: Var,
    shape: Shape,
    /// The layer that made it, to see a softmax before its loss.
    last_layer: Option<Ident>,
    used: bool,
    input: bool,
}

struct Lowering<'a> {
    head: &'a Head,
    report: &'a Report,
    checks: Checks<'a>,
    blocks: Vec<Block>,
    values: Vec<Named>,
    params: Dim,
    /// How often the `repeat`s around this place run it.
    repetitions: Dim,
    labels: BTreeSet<String>,
    /// The names that statements further down declare.
    later: Vec<String>,
    /// Whether the declaration has no input, and no broken statement that may be one.
    no_input: bool,
    /// Names that were reported as doubled: their parameter paths are no second mistake.
    doubled: BTreeSet<String>,
    /// Values that some mistake may have kept from being used.
    excused: Excused,
}

enum Excused {
    These(BTreeSet<String>),
    All,
}

/// Where a step stands: its block, the path of its chain, and what its labels are relative to.
#[derive(Clone)]
struct Place {
    block: usize,
    path: Vec<String>,
    labels: Vec<String>,
    pos: Pos,
}

/// A value on its way through a chain.
#[derive(Clone)]
pub(super) struct Flow {
    var: Var,
    pub(super) shape: Shape,
    /// The layer that made it.
    pub(super) last_layer: Option<Ident>,
}

impl Flow {
    /// What a mistake left open.
    const UNKNOWN: Flow = Flow {
        var: Var(0),
        shape: Shape::UNKNOWN,
        last_layer: None,
    };
}

/// What the model gives.
pub(super) struct Output {
    pub(super) name: Ident,
    pub(super) flow: Flow,
}

/// The name that a statement declares.
fn declared(statement: &Statement) -> Option<&Ident> {
    match statement {
        Statement::Input { name, .. }
        | Statement::Let { name, .. }
        | Statement::Unread { name } => Some(name),
        Statement::Output { .. } | Statement::Loss { .. } => None,
    }
}

/// Takes out what is derived for the network in any case: twice would be a mistake far from here.
fn underive(head: &mut Head, report: &Report) {
    let name = head.name.clone();
    head.attrs.retain(|attr| {
        let mut right = true;
        if attr.path().is_ident("derive") {
            // What is no list of paths is left to rustc.
            let _ = attr.parse_nested_meta(|derived| {
                let last = derived.path.segments.last().map(|segment| &segment.ident);
                if let Some(word) = last.filter(|word| GIVEN.contains(&word.to_string().as_str())) {
                    let message = format!("`{name}` is `{word}` as it is; leave this out");
                    report.error(word, message);
                    right = false;
                }
                Ok(())
            });
        }
        right
    });
}

/// Checks a declaration. The network is complete only if nothing was reported.
pub fn check(declaration: Declaration, report: &Report) -> Network {
    let Declaration {
        mut head,
        statements,
        broken,
    } = declaration;
    underive(&mut head, report);
    let mut lowering = Lowering {
        head: &head,
        report,
        checks: Checks {
            head: &head,
            report,
            left: Vec::new(),
        },
        blocks: vec![Block {
            name: head.name.clone(),
            body: None,
            fields: Vec::new(),
            ops: Vec::new(),
            vars: 0,
        }],
        values: Vec::new(),
        params: Dim::of(0),
        repetitions: Dim::of(1),
        labels: BTreeSet::new(),
        later: statements
            .iter()
            .filter_map(declared)
            .map(Ident::to_string)
            .collect(),
        no_input: !broken
            && !statements
                .iter()
                .any(|s| matches!(s, Statement::Input { .. })),
        doubled: BTreeSet::new(),
        // What could not be read may have used any of them.
        excused: if broken {
            Excused::All
        } else {
            Excused::These(BTreeSet::new())
        },
    };
    let mut inputs = Vec::new();
    let mut output: Option<Output> = None;
    let mut loss: Option<&Call> = None;
    for statement in &statements {
        if declared(statement).is_some() {
            lowering.later.remove(0);
        }
        match statement {
            Statement::Input { name, dims } => lowering.input(name, dims, &mut inputs),
            Statement::Let {
                name,
                assertion,
                source,
                chain,
            } => {
                lowering.binding(name, assertion.as_ref(), source, chain);
            }
            Statement::Output { names } => {
                for name in names {
                    let flow = lowering.flow(name);
                    if output.is_some() {
                        report.error(name, "a model has one `output`; this is the second");
                    } else {
                        output = Some(Output {
                            name: name.clone(),
                            flow,
                        });
                    }
                }
            }
            Statement::Loss { keyword, .. } if loss.is_some() => {
                report.error(keyword, "a model has one `loss`; this is the second");
            }
            Statement::Loss { call, .. } => loss = Some(call),
            Statement::Unread { name } => lowering.declare(name, Flow::UNKNOWN, false),
        }
    }
    // A statement that could not be read may have been the one that is missing.
    if !broken {
        if lowering.no_input {
            let example = "add `input image: [1, 28, 28];`, the shape of one example";
            report.error(&head, format!("`{}` has no input: {example}", head.name));
        }
        if output.is_none() {
            let last = lowering
                .values
                .last()
                .map_or("name".to_owned(), |v| v.name.to_string());
            report.error(
                &head,
                format!("`{}` has no output: add `output {last};`", head.name),
            );
            lowering.excuse(last);
        }
        if loss.is_none() {
            let message = format!("`{}` has no loss: add `loss cross_entropy;`", head.name);
            report.error(&head, message);
        }
    }
    lowering.unused();
    let loss = loss.and_then(|call| loss::loss(call, output.as_ref(), &mut lowering.checks));
    paths::tell_apart(&lowering.blocks, &lowering.doubled, report);
    let total = message![
        "the model may have at most 2^40 parameters, found ",
        &lowering.params
    ];
    let condition = Condition::Within(lowering.params.clone(), 0, MOST_PARAMETERS);
    lowering
        .checks
        .require(condition, (&head).into(), "", total);
    lowering.known(&head);
    // A flag of a layer is written down: it decides which parameters there are.
    head.every_hyper_is_used(&[HyperType::Int, HyperType::Float], report);
    let Lowering { checks, blocks, .. } = lowering;
    let checks = checks.left;
    let output = output.map(|Output { flow, .. }| (flow.var, flow.shape));
    Network {
        inputs,
        blocks,
        output,
        loss,
        checks,
        head,
    }
}

impl<'a> Lowering<'a> {
    fn input(&mut self, name: &Ident, dims: &Value, inputs: &mut Vec<Input>) {
        let first = inputs.is_empty();
        if !first {
            self.report
                .error(name, "a model takes one input for now; this is the second");
            self.excuse(name.to_string());
        }
        let shape = match &dims.kind {
            ValueKind::List(dims) if dims.is_empty() => {
                self.report
                    .error(name, "an input needs at least one dimension: `[features]`");
                Shape::UNKNOWN
            }
            ValueKind::List(dims) => {
                let place = format!("input {name}");
                let dims = dims
                    .iter()
                    .map(|expr| self.dimension(expr, &place))
                    .collect();
                Shape::of(dims)
            }
            ValueKind::Expr(_) => Shape::UNKNOWN,
        };
        if let Some((_, pos)) = dims.unit {
            self.report.error(pos, "a unit has no place here");
        }
        let flow = Flow {
            var: self.var(0),
            shape: shape.clone(),
            last_layer: None,
        };
        self.declare(name, flow, true);
        if first {
            inputs.push(Input {
                name: name.clone(),
                shape,
            });
        }
    }

    /// A dimension that is written down.
    fn dimension(&mut self, expr: &Expr, place: &str) -> Dim {
        self.size(expr, "a dimension", place, LARGEST)
    }

    /// A whole number of at least 1.
    fn size(&mut self, expr: &Expr, what: &str, place: &str, most: i128) -> Dim {
        if !expr.check(HyperType::Int, self.head, self.report) {
            return Dim::UNKNOWN;
        }
        let dim = self.checks.dim(expr);
        let message = message![format!("{what} is between 1 and {most}, found "), &dim];
        let condition = Condition::Within(dim.clone(), 1, most);
        let fits = self.checks.require(condition, expr.pos, place, message);
        if fits { dim } else { Dim::UNKNOWN }
    }

    fn binding(&mut self, name: &Ident, assertion: Option<&Value>, source: &Ident, chain: &[Step]) {
        let flow = self.flow(source);
        let path = vec![name.unraw().to_string()];
        let place = Place {
            block: 0,
            path,
            labels: Vec::new(),
            pos: name.into(),
        };
        let flow = self.chain(flow, chain, &place);
        if let Some(assertion) = assertion {
            self.assert_shape(name, assertion, &flow.shape);
        }
        self.declare(name, flow, false);
    }

    fn declare(&mut self, name: &Ident, flow: Flow, input: bool) {
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
        let Flow {
            var,
            shape,
            last_layer,
        } = flow;
        self.values.push(Named {
            name: name.clone(),
            var,
            shape,
            last_layer,
            used: false,
            input,
        });
    }

    /// The value called `name`, now used; reported if there is none.
    fn flow(&mut self, name: &Ident) -> Flow {
        if let Some(value) = self.values.iter_mut().rfind(|value| value.name == *name) {
            value.used = true;
            let (shape, last_layer) = (value.shape.clone(), value.last_layer.clone());
            return Flow {
                var: value.var,
                shape,
                last_layer,
            };
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
    fn excuse(&mut self, name: String) {
        if let Excused::These(names) = &mut self.excused {
            names.insert(name);
        }
    }

    fn unused(&self) {
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

    /// Runs `flow` through the steps. A chain of one step is that step: it takes the chain's path;
    /// in a longer one each step's number is appended, as in PyTorch's `Sequential`.
    fn chain(&mut self, mut flow: Flow, steps: &[Step], place: &Place) -> Flow {
        for (index, step) in steps.iter().enumerate() {
            let mut at = Place {
                pos: step.pos,
                ..place.clone()
            };
            match &step.label {
                Some(label) => {
                    at.pos = label.into();
                    at.path = place.labels.clone();
                    at.path.push(label.unraw().to_string());
                    if !self.labels.insert(at.path.join(".")) {
                        let message = format!(
                            "the label `{label}` is given twice; a label names one layer's \
                             parameters, choose another"
                        );
                        self.report.error(label, message);
                        self.doubled.insert(label.unraw().to_string());
                    }
                }
                None if steps.len() > 1 => at.path.push(index.to_string()),
                None => {}
            }
            flow = match &step.kind {
                StepKind::Layer(call) => self.layer(flow, call, &at),
                StepKind::Residual(block) => self.residual(flow, block, step.pos, &at),
                StepKind::Repeat(count, block) => self.repeat(flow, count, block, step.pos, &at),
            };
        }
        flow
    }

    fn layer(&mut self, flow: Flow, call: &Call, at: &Place) -> Flow {
        let name = call.name.to_string();
        let unknown = |flow: Flow| Flow {
            shape: Shape::UNKNOWN,
            last_layer: None,
            ..flow
        };
        let Some(layer) = layers::find(&name) else {
            let names = LAYERS.iter().map(|layer| layer.name);
            let hint = suggest::hint(&name, "the layers are", names);
            self.report
                .error(&call.name, format!("no layer is called `{name}`{hint}"));
            return unknown(flow);
        };
        let path = paths::shown(&self.blocks, at.block, &at.path);
        let made = layer.apply(&mut Rule {
            args: layer.signature.bind(call, self.head, self.report),
            input: &flow.shape,
            checks: &mut self.checks,
            place: &format!("{name} ({path})"),
        });
        self.params = self.params.add(&made.params);
        if made
            .params
            .number()
            .is_some_and(|params| params > MOST_PARAMETERS)
        {
            let message = format!(
                "this `{name}` has {} parameters; a model may have at most 2^40",
                made.params,
            );
            self.report.error(call.pos, message);
            self.params = Dim::UNKNOWN;
        }
        let row = Row {
            layer: name,
            path: at.path.clone(),
            shape: made.output.clone(),
            params: made.params,
        };
        let callee = if made.inline {
            Callee::Inline(made.init)
        } else {
            let kind = FieldKind::Layer {
                ty: made.ty,
                init: made.init,
            };
            Callee::Field(self.field(at, kind))
        };
        let kind = OpKind::Layer {
            callee,
            input: flow.var,
            row,
        };
        let var = self.op(at.block, &made.output, kind);
        Flow {
            var,
            shape: made.output,
            last_layer: Some(call.name.clone()),
        }
    }

    fn residual(&mut self, flow: Flow, block: &parse::Block, pos: Pos, at: &Place) -> Flow {
        let inner = self.chain(flow.clone(), &block.steps, at);
        let text = "`residual` adds its input to what its block gives";
        let shape = self.agree(&flow.shape, &inner.shape, pos, "residual", text);
        let var = self.op(at.block, &shape, OpKind::Add(flow.var, inner.var));
        Flow {
            var,
            shape,
            last_layer: None,
        }
    }

    fn repeat(
        &mut self,
        flow: Flow,
        count: &Expr,
        body: &parse::Block,
        pos: Pos,
        at: &Place,
    ) -> Flow {
        let (count, repetitions) = self.repetitions(count);
        let name = paths::body_name(&self.blocks, at.block, &at.path);
        let block = self.blocks.len();
        let rank = flow.shape.rank().unwrap_or(2);
        let fields = Vec::new();
        self.blocks.push(Block {
            name,
            body: None,
            fields,
            ops: Vec::new(),
            vars: 0,
        });
        let start = Flow {
            var: self.var(block),
            ..flow.clone()
        };
        let params = std::mem::replace(&mut self.params, Dim::of(0));
        let labels = std::mem::take(&mut self.labels);
        let around = std::mem::replace(&mut self.repetitions, repetitions);
        let place = Place {
            block,
            path: Vec::new(),
            labels: Vec::new(),
            pos,
        };
        let end = self.chain(start, &body.steps, &place);
        self.labels = labels;
        self.repetitions = around;
        self.params = params.add(&self.params.mul(&count));
        self.blocks[block].body = Some((rank, end.var));
        let text = "`repeat` runs its block again on what it gives";
        let shape = self.agree(&flow.shape, &end.shape, pos, "repeat", text);
        let field = self.field(at, FieldKind::Repeat { block, count });
        let kind = OpKind::Repeat {
            field,
            input: flow.var,
        };
        let var = self.op(at.block, &shape, kind);
        Flow {
            var,
            shape,
            last_layer: None,
        }
    }

    /// How often a `repeat` of this `count` runs its block, and how often with those around it.
    fn repetitions(&mut self, expr: &Expr) -> (Dim, Dim) {
        let what = "the number of repetitions";
        let count = self.size(expr, what, "repeat", MOST_REPETITIONS);
        let all = self.repetitions.mul(&count);
        if all == count {
            return (count, all);
        }
        let message = message![
            format!(
                "{what}, with the `repeat`s around this one, is at most {MOST_REPETITIONS}, found "
            ),
            &all
        ];
        // That each of them is at least 1 is said of each.
        let condition = Condition::Within(all.clone(), 0, MOST_REPETITIONS);
        match self.checks.require(condition, expr.pos, "repeat", message) {
            true => (count, all),
            false => (Dim::UNKNOWN, Dim::UNKNOWN),
        }
    }

    /// The shape of what goes in and comes out of a block that must keep it. Where one of the two
    /// is unknown the other tells it; where they differ, one mistake is enough.
    fn agree(&mut self, a: &Shape, b: &Shape, pos: Pos, place: &str, text: &str) -> Shape {
        let (Some(from), Some(to)) = (&a.0, &b.0) else {
            return if a.0.is_some() { a.clone() } else { b.clone() };
        };
        let mut message = message![format!("{text}: ")];
        message.extend(shape_parts(a));
        message.push(" goes in, ".into());
        message.extend(shape_parts(b));
        message.push(" comes out; make the two shapes the same".into());
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

    /// Without a mistake every shape and every number of parameters is known, or sizes were
    /// written that nobody could read either.
    fn known(&self, head: &Head) {
        let known = |op: &Op| match &op.kind {
            OpKind::Layer { row, .. } => {
                let shape = row.shape.0.as_ref();
                shape.is_some_and(|dims| !dims.iter().any(Dim::is_unknown))
                    && !row.params.is_unknown()
            }
            OpKind::Repeat { .. } | OpKind::Add(..) => true,
        };
        let all = self.blocks.iter().flat_map(|block| &block.ops).all(known);
        if self.report.is_clean() && (!all || self.params.is_unknown()) {
            let message = format!(
                "the sizes in `{}` are too large, or too long, to be worked out; write smaller ones",
                head.name,
            );
            self.report.error(head, message);
        }
    }

    fn var(&mut self, block: usize) -> Var {
        let vars = &mut self.blocks[block].vars;
        *vars += 1;
        Var(*vars - 1)
    }

    fn op(&mut self, block: usize, shape: &Shape, kind: OpKind) -> Var {
        let out = self.var(block);
        // The rank is unknown only behind a mistake; then nothing of this is written out.
        self.blocks[block].ops.push(Op {
            out,
            rank: shape.rank().unwrap_or(2),
            kind,
        });
        out
    }

    fn field(&mut self, at: &Place, kind: FieldKind) -> usize {
        let fields = &mut self.blocks[at.block].fields;
        fields.push(Field {
            ident: paths::field_name(&at.path),
            path: at.path.clone(),
            kind,
            pos: at.pos,
        });
        fields.len() - 1
    }
}
