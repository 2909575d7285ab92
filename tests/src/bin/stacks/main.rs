//! Random stacks of layers: the shape that each rule infers is the shape of the tensor that the
//! layer returns, and what a rule refuses PyTorch refuses too.
//!
//! A stack is a declaration that grows by one layer at a time and is checked to the IR each time.
//! Then it runs: the code that makes each layer, which would stand in the expansion, is read and
//! carried out, so that its arguments are tested as well. A layer of the language without a line in
//! `draw` and in `run` ends the program.
//!
//! The macro crate can be linked by no program, so this one is made of its front once more. It is a
//! program, not a test, for as a test it would run that crate's own again.
//!
//! `cargo run -p kiln-tests --bin stacks -- 17` draws other stacks.

// What the front only needs in the macros.
#![allow(dead_code, unused_imports, missing_docs)]

extern crate proc_macro;

mod draw;
#[path = "../../../../macros/src/model/mod.rs"]
mod model;
mod read;
#[path = "../../../../macros/src/report.rs"]
mod report;
mod run;
#[path = "../../../../macros/src/suggest.rs"]
mod suggest;
#[path = "../../../../macros/src/syntax/mod.rs"]
mod syntax;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;

use draw::Draw;
use kiln_tests::{device, is_slow};
use model::dim::{Dim, Shape};
use model::ir::{Callee, FieldKind, Network, OpKind};
use model::{check, layers, parse};
use report::Report;
use run::Value;
use syntax::Number;

/// How many stacks are run.
const STACKS: usize = 4_000;

/// How long a stack may become.
const LONGEST: usize = 8;

/// A stack whose tensors grow beyond this takes another layer.
const MOST_NUMBERS: usize = 4_096;

const BATCH: usize = 2;

/// The network that a declaration is, or what is wrong with it.
fn checked(declaration: &str) -> Result<Network, String> {
    let tokens: TokenStream = declaration.parse().expect("tokens");
    let report = Report::new();
    let parsed = syntax::parse(tokens, &report, |input| parse::parse(input, &report));
    let network = parsed.map(|parsed| check::check(parsed, false, &report));
    let clean = report.is_clean();
    let errors = report.into_tokens();
    match network {
        Some(network) if clean => Ok(network),
        _ => Err(errors.to_string()),
    }
}

/// The number that a dimension comes to with the defaults.
fn size(network: &Network, dim: &Dim) -> usize {
    let known = |name: &str| {
        let hyper = network
            .head
            .hypers
            .iter()
            .find(|hyper| hyper.name == name)?;
        match network.head.default_of(&hyper.name)? {
            Number::Int(value) => Some(value),
            Number::Float(_) => None,
        }
    };
    let size = dim.eval(&known).and_then(|size| usize::try_from(size).ok());
    size.unwrap_or_else(|| panic!("{dim} is no size"))
}

fn sizes(network: &Network, shape: &Shape) -> Vec<usize> {
    let dims = shape.0.iter().flatten();
    dims.map(|dim| size(network, dim)).collect()
}

/// Runs the layers of a stack and compares what they give with what was inferred.
fn compare(network: &Network, declaration: &str) {
    let block = &network.blocks[0];
    let inputs = network.inputs.iter().enumerate();
    let mut values: BTreeMap<usize, Value> = inputs
        .map(|(i, input)| {
            let shape = sizes(network, &input.shape);
            (i, Value::zeros(BATCH, &shape, input.integers))
        })
        .collect();
    for op in &block.ops {
        let OpKind::Layer {
            callee,
            inputs,
            row,
        } = &op.kind
        else {
            panic!("a stack has only layers: {declaration}");
        };
        let init = match callee {
            Callee::Inline(init) => init,
            Callee::Field(field) => match &block.fields[*field].kind {
                FieldKind::Layer { init, .. } => init,
                FieldKind::Repeat(_) => panic!("a stack has no repeat: {declaration}"),
            },
            Callee::Own { .. } => panic!("a stack has no layer of a user's own: {declaration}"),
        };
        let inputs = inputs.iter().map(|var| values[&var.0].clone()).collect();
        let (output, params) = run::layer(init, inputs, op.rank, &network.head);
        let expected = [&[BATCH], sizes(network, &row.shape).as_slice()].concat();
        let layer = &row.layer;
        assert_eq!(output.dims(), expected, "`{layer}` in {declaration}");
        // A running mean and variance are no parameters, but Burn counts them.
        let counted = if layer == "batch_norm" { 2 } else { 1 };
        let inferred = counted * size(network, &row.params);
        assert_eq!(
            params, inferred,
            "the parameters of `{layer}` in {declaration}"
        );
        values.insert(op.out.0, output);
    }
}

fn main() {
    let seed = std::env::args().nth(1);
    let seed = seed.map_or(Ok(5), |seed| seed.parse());
    let mut draw = Draw::new(seed.expect("the first argument is a seed"));
    let names: Vec<_> = layers::all().map(|layer| layer.name).collect();
    let mut accepted: BTreeMap<&str, usize> = names.iter().map(|name| (*name, 0)).collect();
    // What is made for one rank fits seldom, so it is drawn more often.
    let ranked = |name: &&&str| ["1d", "2d", "3d"].iter().any(|rank| name.ends_with(rank));
    let ranked: Vec<_> = names.iter().filter(ranked).copied().collect();
    let names = [names, ranked.repeat(4)].concat();
    let (mut ran, mut refused) = (0, 0);
    let stacks = if is_slow() { STACKS / 50 } else { STACKS };
    while ran < stacks {
        draw.begin();
        let mut runs = None;
        for _ in 0..LONGEST {
            let before = draw.stack.clone();
            let (name, possible) = draw.push(&names);
            let declaration = draw.declaration();
            match checked(&declaration) {
                Ok(network) => {
                    assert!(possible, "this is accepted: {declaration}");
                    let output = sizes(&network, &network.outputs[0].shape);
                    if BATCH * output.iter().product::<usize>() <= MOST_NUMBERS {
                        *accepted.entry(name).or_default() += 1;
                        draw.stack.shape = output;
                        draw.stack.integers = false;
                        runs = Some((network, declaration));
                        continue;
                    }
                }
                Err(errors) => {
                    assert!(!possible, "this is refused: {declaration}: {errors}");
                    refused += 1;
                }
            }
            draw.stack = before;
        }
        if let Some((network, declaration)) = runs {
            compare(&network, &declaration);
            ran += 1;
        }
    }
    println!("{ran} stacks agree, {refused} layers were refused; {accepted:?}");
    if !is_slow() {
        for (name, count) in accepted {
            assert!(count >= 10, "`{name}` stood in {count} stacks");
        }
    }
    // Mesa's driver fails where the program ends before what it was given to do.
    device().sync().expect("the device has done its work");
}
