//! Check: statements to the IR. Names are resolved, shapes inferred, and every rule asked; every
//! mistake is reported at its own token.

mod chain;
mod repeat;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Ident;

use self::chain::Shared;
use super::dim::{Dim, Shape};
use super::ir::{Block, Field, FieldKind, Network, Op, OpKind, Output, OwnLayer, Var};
use super::loss;
use super::parse::{Declaration, Statement, Term};
use super::paths;
use super::require::{Checks, Condition, message};
use crate::report::{Pos, Report};
use crate::syntax::{Head, HyperType};

/// No network of today has more parameters; a configuration that asks for more has a slip in it.
const MOST_PARAMETERS: i128 = 1 << 40;

/// The traits that every network has.
const GIVEN: [&str; 4] = ["Clone", "Debug", "Display", "Module"];

/// A named value of the declaration.
struct Named {
    name: Ident,
    flow: Flow,
    used: bool,
    input: bool,
}

struct Lowering<'a> {
    head: &'a Head,
    report: &'a Report,
    /// Whether every layer is a field, since the struct is the user's own.
    derived: bool,
    checks: Checks<'a>,
    blocks: Vec<Block>,
    own: Vec<OwnLayer>,
    values: Vec<Named>,
    params: Dim,
    /// How often the `repeat`s around this place run it.
    repetitions: Dim,
    /// The layers of this block by their labels' paths.
    labels: BTreeMap<String, Option<Shared>>,
    /// The labels so far, wherever they stand.
    names: BTreeSet<String>,
    /// The indices of the `repeat`s around this place that are written out.
    indices: Vec<Ident>,
    /// The names that statements further down declare.
    later: Vec<String>,
    /// Whether the declaration has no input, and no broken statement that may be one.
    no_input: bool,
    /// Names that were reported as doubled: their parameter paths are no second mistake.
    doubled: BTreeSet<String>,
    /// How many repetitions were looked at by themselves.
    apart: usize,
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
    /// What numbered labels are relative to: they take the place of a repetition's own number.
    around: Vec<String>,
    pos: Pos,
}

/// A value on its way through a chain.
#[derive(Clone)]
struct Flow {
    var: Var,
    shape: Shape,
    integers: bool,
    /// The layer that made it.
    last_layer: Option<Ident>,
}

impl Flow {
    /// What a mistake left open.
    const UNKNOWN: Flow = Flow {
        var: Var(0),
        shape: Shape::UNKNOWN,
        integers: false,
        last_layer: None,
    };

    /// What something other than a layer made.
    fn of(var: Var, shape: Shape) -> Flow {
        Flow {
            var,
            shape,
            integers: false,
            last_layer: None,
        }
    }
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
pub fn check(declaration: Declaration, derived: bool, report: &Report) -> Network {
    let Declaration {
        mut head,
        statements,
        broken,
    } = declaration;
    underive(&mut head, report);
    let mut lowering = Lowering::new(&head, &statements, broken, report);
    lowering.derived = derived;
    let mut inputs = Vec::new();
    let mut outputs: Vec<Output> = Vec::new();
    let mut losses: Option<&[Term]> = None;
    let mut closed = false;
    for statement in &statements {
        if declared(statement).is_some() {
            lowering.later.remove(0);
        }
        match statement {
            Statement::Input {
                name,
                integers,
                dims,
            } => {
                // The inputs are the first values of the model.
                if lowering.blocks[0].vars > inputs.len() {
                    let message = format!("move the input `{name}` above the first `let`");
                    report.error(name, message);
                }
                inputs.push(lowering.input(name, *integers, dims));
            }
            Statement::Let {
                name,
                assertion,
                source,
                chain,
            } => lowering.binding(name, assertion.as_ref(), source, chain),
            Statement::Output { names } => {
                if closed {
                    let message = "a model has one `output` statement; name every output in it: \
                                   `output scores, features;`";
                    names.iter().for_each(|name| report.error(name, message));
                }
                for name in names {
                    let flow = lowering.flow(name);
                    if closed {
                        continue;
                    }
                    if outputs.iter().any(|output| output.name == *name) {
                        report.error(name, format!("`{name}` is an output already"));
                        continue;
                    }
                    if flow.integers {
                        let message = format!("`{name}` is an input of integers, no result");
                        report.error(name, message);
                    }
                    outputs.push(Output {
                        name: name.clone(),
                        var: flow.var,
                        shape: flow.shape,
                        last_layer: flow.last_layer,
                    });
                }
                closed = true;
            }
            Statement::Loss { keyword, .. } if losses.is_some() => {
                report.error(
                    keyword,
                    "a model has one `loss`; add the second one to it: `loss mse(a) + mse(b)`",
                );
            }
            Statement::Loss { terms, .. } => losses = Some(terms),
            Statement::Unread { name } => lowering.declare(name, Flow::UNKNOWN, false),
        }
    }
    // A statement that could not be read may have been the one that is missing.
    if !broken {
        if lowering.no_input {
            let example = "add `input image: [1, 28, 28];`, the shape of one example";
            report.error(&head, format!("`{}` has no input: {example}", head.name));
        }
        if outputs.is_empty() {
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
    }
    lowering.unused();
    if let (Some(_), Some(input)) = (losses, inputs.get(loss::MOST)) {
        let message = format!(
            "a model with a loss has at most {} inputs; leave this out, or the `loss`",
            loss::MOST,
        );
        report.error(&input.name, message);
    }
    let losses = loss::losses(losses.unwrap_or(&[]), &outputs, &mut lowering.checks);
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
    let Lowering {
        checks,
        blocks,
        own,
        ..
    } = lowering;
    let Checks { left, late, .. } = checks;
    Network {
        inputs,
        blocks,
        outputs,
        losses,
        checks: left,
        late,
        own,
        head,
        derived,
    }
}

impl<'a> Lowering<'a> {
    fn new(head: &'a Head, statements: &[Statement], broken: bool, report: &'a Report) -> Self {
        Lowering {
            head,
            report,
            derived: false,
            checks: Checks {
                head,
                report,
                loops: Vec::new(),
                left: Vec::new(),
                late: Vec::new(),
            },
            blocks: vec![Block {
                name: head.name.clone(),
                body: None,
                fields: Vec::new(),
                ops: Vec::new(),
                written: Vec::new(),
                vars: 0,
            }],
            own: Vec::new(),
            values: Vec::new(),
            params: Dim::of(0),
            repetitions: Dim::of(1),
            labels: BTreeMap::new(),
            names: BTreeSet::new(),
            indices: Vec::new(),
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
            apart: 0,
            // What could not be read may have used any of them.
            excused: if broken {
                Excused::All
            } else {
                Excused::These(BTreeSet::new())
            },
        }
    }

    /// Without a mistake every shape and every number of parameters is known, or sizes were
    /// written that nobody could read either.
    fn known(&self, head: &Head) {
        let known = |op: &Op| match &op.kind {
            OpKind::Layer { row, .. } => {
                let shape = row.shape.0.as_ref();
                shape.is_some_and(|dims| !dims.iter().any(Dim::is_unknown))
                    && !row.params.is_unknown()
                    && !row.multiply_adds.is_unknown()
            }
            OpKind::Repeat { .. } | OpKind::Join { .. } | OpKind::Concat { .. } => true,
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
