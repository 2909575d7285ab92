//! Chains: a value on its way through layers, residual blocks and groups.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use super::{Flow, Lowering, MOST_PARAMETERS, Place};
use crate::model::dim::{Dim, Shape};
use crate::model::ir::{Callee, FieldKind, Join, OpKind, OwnLayer, Row};
use crate::model::layers::{self, Layer, Made, Rule};
use crate::model::parse::{Block, Label, Own, Shortcut, Step, StepKind};
use crate::model::paths;
use crate::model::require::{Condition, message};
use crate::report::{Pos, call_at, located};
use crate::suggest;
use crate::syntax::{Call, Expr, HyperType, Node, Number, Value, ValueKind};

/// A labelled layer, for those that share its weights.
#[derive(Clone)]
pub(super) struct Shared {
    call: Call,
    callee: Callee,
    /// How it is made, by which a second use with another input is told.
    init: String,
    input: Shape,
    /// What comes out, where the layer is one of the user's own.
    output: Option<Shape>,
}

impl Lowering<'_> {
    /// Runs `flow` through the steps. A chain of one step is that step: it takes the chain's path;
    /// in a longer one each step's number is appended, as in PyTorch's `Sequential`. `before` steps
    /// have their numbers already.
    pub(super) fn chain(
        &mut self,
        flow: Flow,
        steps: &[Step],
        place: &Place,
        before: usize,
    ) -> Flow {
        let numbered = steps.len() + before > 1;
        self.steps(flow, steps, place, numbered.then_some(before))
    }

    /// Runs `flow` through the steps, which are numbered from `first` on, or not at all.
    pub(super) fn steps(
        &mut self,
        mut flow: Flow,
        steps: &[Step],
        place: &Place,
        first: Option<usize>,
    ) -> Flow {
        for (index, step) in steps.iter().enumerate() {
            let mut at = Place {
                pos: step.pos,
                ..place.clone()
            };
            match (&step.label, first) {
                (Some(label), _) => {
                    at.pos = (&label.name).into();
                    let relative = match label.number {
                        Some(_) => &place.around,
                        None => &place.labels,
                    };
                    let name = self.label(label);
                    at.path = relative.clone();
                    // Of a label without a name nothing more is said.
                    at.path.push(name.clone().unwrap_or_default());
                    self.doubled.extend(name.is_none().then(String::new));
                    let path = at.path.join(".");
                    if let Some(name) = name.filter(|_| self.labels.contains_key(&path)) {
                        let message = format!(
                            "the label `{name}` is given twice; a label names one layer's \
                             parameters, choose another, or share them: `-> {name}`"
                        );
                        self.report.error(&label.name, message);
                        self.doubled.insert(name);
                    }
                    self.names.insert(label.name.to_string());
                    self.labels.insert(path, None);
                }
                (None, Some(first)) => at.path.push((first + index).to_string()),
                (None, None) => {}
            }
            flow = match &step.kind {
                StepKind::Layer(call) => self.layer(flow, call, step.label.is_some(), &at),
                StepKind::Own(own) => self.own(flow, own, step.label.is_some(), &at),
                StepKind::Residual(shortcut, block) => {
                    self.residual(flow, shortcut.as_ref(), block, step.pos, &at)
                }
                StepKind::Repeat(repeat) => self.repeat(flow, repeat, step.pos, &at),
                StepKind::Group(block) => {
                    let place = Place {
                        labels: at.path.clone(),
                        around: at.path.clone(),
                        ..at
                    };
                    self.steps(flow, &block.steps, &place, Some(0))
                }
            };
        }
        flow
    }

    /// The segment of the path that a label stands for.
    fn label(&mut self, label: &Label) -> Option<String> {
        let name = label.name.unraw().to_string();
        let Some(number) = &label.number else {
            return Some(name);
        };
        if !number.check(HyperType::Int, self.head, self.report) {
            return None;
        }
        match number.literal() {
            Some(Number::Int(number)) if number >= 0 => Some(format!("{name}{number}")),
            _ => {
                let message = "a label is numbered by a plain number from 0 on, or by the index \
                               of a `repeat` that ends at a plain number";
                self.report.error(number.pos, message);
                None
            }
        }
    }

    fn layer(&mut self, flow: Flow, call: &Call, labelled: bool, at: &Place) -> Flow {
        let name = call.name.to_string();
        let unknown = |flow: Flow| Flow {
            shape: Shape::UNKNOWN,
            integers: false,
            last_layer: None,
            ..flow
        };
        let Some(layer) = layers::find(&name) else {
            // The label of the same block, or of one around it.
            let label =
                |reach: usize| [&at.labels[..reach], &[call.name.unraw().to_string()]].concat();
            let found = (0..=at.labels.len()).rev().map(label);
            let found = found.map(|path| (self.labels.get(&path.join(".")).cloned(), path));
            if let Some((Some(shared), path)) = found.into_iter().find(|(found, _)| found.is_some())
            {
                return self.shared(flow, shared, path, call, at);
            }
            let labels = self.labels.keys().map(String::as_str);
            let names = layers::all().map(|layer| layer.name).chain(labels);
            let message = match suggest::nearest(&name, names) {
                _ if name == "concat" => "`concat` begins a chain, and takes every value that it \
                                          joins: `concat(a, b, dim: 0) -> ..`"
                    .to_owned(),
                _ if self.names.contains(&name) => format!(
                    "the label `{name}` does not reach here: weights are shared behind the layer \
                     that has the label, and in its own block"
                ),
                Some(near) => format!("no layer is called `{name}`; did you mean `{near}`?"),
                None => format!(
                    "no layer is called `{name}`; the layers are listed in the documentation of \
                     `model!`"
                ),
            };
            self.report.error(&call.name, message);
            return unknown(flow);
        };
        let Some((made, values)) = self.made(&flow, layer, call, at) else {
            return unknown(flow);
        };
        self.params = self.params.add(&made.params);
        let inline = made.inline && !self.derived;
        let inline = inline.then(|| Callee::Inline(made.init.clone()));
        let callee = inline.unwrap_or_else(|| {
            let kind = FieldKind::Layer {
                ty: made.ty.clone(),
                init: made.init.clone(),
            };
            Callee::Field(self.field(at, kind))
        });
        if labelled {
            let shared = Shared {
                call: call.clone(),
                callee: callee.clone(),
                init: made.init.to_string(),
                input: flow.shape.clone(),
                output: None,
            };
            self.labels.insert(at.path.join("."), Some(shared));
        }
        self.run(flow, values, made, callee, call, at)
    }

    /// What the rule of `layer` makes of the input, and the other values that it takes.
    fn made(
        &mut self,
        flow: &Flow,
        layer: &Layer,
        call: &Call,
        at: &Place,
    ) -> Option<(Made, Vec<Flow>)> {
        if flow.integers && !layer.integers {
            let (what, pos) = (format!("`{}`", layer.name), (&call.name).into());
            self.needs_numbers(&mut flow.clone(), &what, pos);
            return None;
        }
        if layer.integers && !flow.integers && flow.shape.0.is_some() {
            let message = format!(
                "`{}` takes integers, found real numbers; declare them as integers: \
                 `input tokens: int [10];`",
                layer.name,
            );
            self.report.error(&call.name, message);
            return None;
        }
        let args = layer.signature.bind(call, self.head, self.report);
        let mut values = Vec::new();
        for name in layer.values {
            let Some(value) = args.value(name) else {
                continue;
            };
            let Some(word) = value.expr().and_then(Expr::word) else {
                let message = format!("`{name}` takes the name of a value");
                self.report.error(value.pos, message);
                return None;
            };
            if at.block > 0 {
                let message = format!(
                    "a block that is repeated an open number of times sees no values around it, \
                     such as `{word}`; give `repeat` a plain number"
                );
                self.report.error(word, message);
                return None;
            }
            values.push(self.flow(word));
        }
        let shapes: Vec<_> = values.iter().map(|value| value.shape.clone()).collect();
        let path = paths::shown(&self.blocks, at.block, &at.path);
        let made = layer.apply(&mut Rule {
            args,
            input: &flow.shape,
            values: &shapes,
            checks: &mut self.checks,
            place: &format!("{} ({path})", layer.name),
        });
        self.judge(&made, call);
        Some((made, values))
    }

    /// What is wrong with any layer alike.
    fn judge(&mut self, made: &Made, call: &Call) {
        let name = &call.name;
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
        if let Some(any) = made.params.anys().first() {
            let message = format!(
                "`{name}` has parameters for each of its input's features, which the dimension \
                 `{any}` decides, and that is known only when a tensor arrives; give it a size in \
                 the `input`",
            );
            self.report.error(name, message);
        }
        // In a repetition that is written out it may be the index that makes it so.
        if let Some(reason) = made.idle.filter(|_| self.indices.is_empty()) {
            let message = format!("this `{name}` has no effect: {reason}; leave it out");
            self.report.error(name, message);
        }
    }

    /// The operation that runs a layer.
    fn run(
        &mut self,
        flow: Flow,
        values: Vec<Flow>,
        made: Made,
        callee: Callee,
        call: &Call,
        at: &Place,
    ) -> Flow {
        let row = Row {
            layer: call.name.to_string(),
            path: at.path.clone(),
            shape: made.output.clone(),
            params: made.params,
            multiply_adds: made.multiply_adds,
        };
        let values = values.iter().map(|value| value.var);
        let kind = OpKind::Layer {
            callee,
            inputs: std::iter::once(flow.var).chain(values).collect(),
            row,
        };
        let var = self.op(at.block, &made.output, kind);
        Flow {
            last_layer: Some(call.name.clone()),
            ..Flow::of(var, made.output)
        }
    }

    /// A layer that shares the weights of the one whose label `call` names.
    fn shared(
        &mut self,
        flow: Flow,
        shared: Option<Shared>,
        path: Vec<String>,
        call: &Call,
        at: &Place,
    ) -> Flow {
        let label = &call.name;
        let Some(shared) = shared else {
            let message = format!("`{label}` names no single layer, so it cannot be shared");
            self.report.error(label, message);
            return Flow::UNKNOWN;
        };
        if let Some(first) = call.args.first() {
            let message = format!("`{label}` is made already; share it without arguments");
            self.report.error(first.value.pos, message);
        }
        if let Some(output) = shared.output {
            if flow.shape != shared.input {
                self.made_for(label, &shared.input, &flow.shape);
                return Flow::UNKNOWN;
            }
            let at = Place { path, ..at.clone() };
            return self.run_own(&flow, &shared.call.name, shared.callee, output, &at);
        }
        let Some(layer) = layers::find(&shared.call.name.to_string()) else {
            return Flow::UNKNOWN;
        };
        let Some((made, values)) = self.made(&flow, layer, &shared.call, at) else {
            return Flow::UNKNOWN;
        };
        let unknown = |shape: &Shape| shape.0.iter().flatten().any(Dim::is_unknown);
        if flow.shape.0.is_none() || unknown(&flow.shape) || unknown(&shared.input) {
            return Flow::UNKNOWN;
        }
        if made.init.to_string() != shared.init {
            self.made_for(label, &shared.input, &flow.shape);
            return Flow::UNKNOWN;
        }
        let at = Place { path, ..at.clone() };
        let made = Made {
            params: Dim::of(0),
            ..made
        };
        self.run(flow, values, made, shared.callee, &shared.call, &at)
    }

    /// Reports a layer that cannot be shared with an input of another shape.
    fn made_for(&mut self, label: &Ident, first: &Shape, found: &Shape) {
        let message = format!(
            "`{label}` was made for {first}, here {found} goes in; to share weights the layer must \
             be the same for both"
        );
        self.report.error(label, message);
    }

    /// A layer of the user's own.
    fn own(&mut self, flow: Flow, own: &Own, labelled: bool, at: &Place) -> Flow {
        let name = &own.args.name;
        let config = self.own_config(own);
        let path = paths::shown(&self.blocks, at.block, &at.path);
        let place = format!("{name} ({path})");
        let output = match &own.shape {
            None => flow.shape.clone(),
            Some(Value {
                kind: ValueKind::List(dims),
                ..
            }) => Shape::of(dims.iter().map(|dim| self.dimension(dim, &place)).collect()),
            Some(_) => Shape::UNKNOWN,
        };
        let ty = &own.path;
        let index = self.own.len();
        let kind = FieldKind::Layer {
            ty: quote!(#ty),
            init: own_init(own, &config, &flow.shape),
        };
        self.own.push(OwnLayer {
            path: own.path.clone(),
            span: name.span(),
            config,
            input: flow.shape.clone(),
            output: output.clone(),
            place,
            loops: self.checks.loops.clone(),
        });
        let field = self.field(at, kind);
        let ident = &mut self.blocks[at.block].fields[field].ident;
        ident.set_span(ident.span().located_at(name.span()));
        let callee = |shared| Callee::Own {
            field,
            own: index,
            shared,
        };
        if labelled {
            let shared = Shared {
                call: own.args.clone(),
                callee: callee(true),
                init: String::new(),
                input: flow.shape.clone(),
                output: Some(output.clone()),
            };
            self.labels.insert(at.path.join("."), Some(shared));
        }
        self.run_own(&flow, name, callee(false), output, at)
    }

    /// The operation that runs a layer of the user's own, which tells the summary about itself.
    fn run_own(
        &mut self,
        flow: &Flow,
        name: &Ident,
        callee: Callee,
        output: Shape,
        at: &Place,
    ) -> Flow {
        let row = Row {
            layer: name.to_string(),
            path: at.path.clone(),
            shape: output.clone(),
            params: Dim::of(0),
            multiply_adds: Dim::of(0),
        };
        let kind = OpKind::Layer {
            callee,
            inputs: vec![flow.var],
            row,
        };
        let var = self.op(at.block, &output, kind);
        Flow::of(var, output)
    }

    /// `&Config::new(positional).with_key(value)`.
    fn own_config(&mut self, own: &Own) -> TokenStream {
        let ty = &own.path;
        let mut positional = Vec::new();
        let mut keyed = TokenStream::new();
        for arg in &own.args.args {
            if let Some((_, pos)) = arg.value.unit {
                self.report.error(pos, "a unit has no place here");
            }
            let value = match &arg.value.kind {
                ValueKind::Expr(expr) => self.own_value(expr),
                ValueKind::List(items) => {
                    let items: Vec<_> = items.iter().map(|item| self.own_value(item)).collect();
                    quote!([#(#items),*])
                }
                ValueKind::Text(_) => {
                    let message = "expected a number, `true` or `false`, found a text";
                    self.report.error(arg.value.pos, message);
                    quote!(0)
                }
            };
            let value = located(value, arg.value.pos.start());
            match &arg.key {
                None => positional.push(value),
                Some(key) => {
                    let setter = format_ident!("with_{}", key.unraw(), span = key.span());
                    keyed.extend(quote!(.#setter(#value)));
                }
            }
        }
        let at = own.args.name.span();
        let new = [quote!(&<<), quote!(as ::kiln::layer::Layer>::Config>::new)];
        let new = call_at(at, new, ty, quote!(#(#positional),*));
        quote!(#new #keyed)
    }

    /// A value for a layer of the user's own, whose type rustc knows.
    fn own_value(&mut self, expr: &Expr) -> TokenStream {
        let head = self.head;
        if !expr.is_early("a setting", head, self.report) {
            return quote!(0);
        }
        let hyper = |name: &Ident| head.hyper(name).map(|hyper| hyper.ty);
        match &expr.node {
            // Of whatever type the setting is.
            Node::Int(value) => {
                let value = proc_macro2::Literal::u64_unsuffixed(*value);
                quote!(#value)
            }
            Node::Bool(value) => quote!(#value),
            Node::Name(name) if hyper(name).is_some() => {
                head.hyper(name).inspect(|hyper| hyper.used.set(true));
                quote!(self.#name)
            }
            _ if expr.is_whole(head) => self.checks_whole(expr),
            _ => {
                expr.check(HyperType::Float, head, self.report);
                expr.float_tokens(head, &quote!(self))
            }
        }
    }

    fn checks_whole(&mut self, expr: &Expr) -> TokenStream {
        if !expr.check(HyperType::Int, self.head, self.report) {
            return quote!(0);
        }
        let dim = self.checks.dim(expr);
        let message = message!["expected a number of at least 0, found ", &dim];
        let condition = Condition::Within(dim.clone(), 0, i128::from(u32::MAX));
        self.checks.require(condition, expr.pos, "", message);
        dim.usize_tokens()
    }

    fn residual(
        &mut self,
        mut flow: Flow,
        shortcut: Option<&Shortcut>,
        block: &Block,
        pos: Pos,
        at: &Place,
    ) -> Flow {
        self.needs_numbers(&mut flow, "`residual`", pos);
        let inner = match shortcut {
            None => self.chain(flow.clone(), &block.steps, at, 0),
            // Beside the shortcut's path no layer can have that of the whole.
            Some(_) => self.steps(flow.clone(), &block.steps, at, Some(0)),
        };
        let keeps = flow.shape == inner.shape;
        let around = match shortcut {
            Some(shortcut) if shortcut.always || !keeps => {
                let mut place = at.clone();
                place.path.push("shortcut".into());
                self.chain(flow, &shortcut.steps, &place, 0)
            }
            _ => flow,
        };
        let words = match shortcut {
            None => [
                "`residual` adds its input to what its block gives",
                "goes in",
                ", or bring the input to the other: `residual(shortcut: ..) { .. }`",
            ],
            Some(_) => [
                "`residual` adds its shortcut to what its block gives",
                "comes around",
                "",
            ],
        };
        let shape = self.agree(&around.shape, &inner.shape, pos, "residual", words);
        let kind = OpKind::Join {
            join: Join::Add,
            inputs: [around.var, inner.var],
            same: true,
        };
        let var = self.op(at.block, &shape, kind);
        Flow::of(var, shape)
    }
}

/// `Layer::build(&config, &[sizes], device)`
fn own_init(own: &Own, config: &TokenStream, input: &Shape) -> TokenStream {
    let (ty, input) = (&own.path, input.size_tokens());
    let build = [quote!(<), quote!(as ::kiln::layer::Layer>::build)];
    let given = quote!(#config, &#input, device);
    call_at(own.args.name.span(), build, ty, given)
}
