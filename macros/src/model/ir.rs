//! IR: a network that was checked. It has only valid parts, every shape known, so that writing it
//! out is straight-line.

use proc_macro2::{Ident, TokenStream};

use super::dim::{Dim, Shape};
use super::require::Check;
use crate::report::Pos;
use crate::syntax::{Expr, Head};

/// A checked declaration.
pub struct Network {
    pub head: Head,
    pub inputs: Vec<Input>,
    /// The model itself first, then the bodies of its `repeat`s.
    pub blocks: Vec<Block>,
    pub output: Option<(Var, Shape)>,
    pub loss: Option<Loss>,
    /// What only the hyper-parameters' values can decide: left to `init`.
    pub checks: Vec<Check>,
}

pub struct Input {
    pub name: Ident,
    pub shape: Shape,
}

/// A local value of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var(pub usize);

/// A struct of the expansion: the model, or the body of a `repeat`.
pub struct Block {
    pub name: Ident,
    /// Rank of the value that goes in (`Var(0)`) and what comes out; for a `repeat` body.
    pub body: Option<(usize, Var)>,
    pub fields: Vec<Field>,
    pub ops: Vec<Op>,
    /// How many values the block has.
    pub vars: usize,
}

/// A layer with parameters or settings, or a `repeat`.
pub struct Field {
    pub ident: Ident,
    /// The parameter path, relative to the block.
    pub path: Vec<String>,
    pub kind: FieldKind,
    /// The layer or its label.
    pub pos: Pos,
}

pub enum FieldKind {
    Layer { ty: TokenStream, init: TokenStream },
    Repeat { block: usize, count: Dim },
}

/// One operation; the operations of a block run in order.
pub struct Op {
    pub out: Var,
    pub rank: usize,
    pub kind: OpKind,
}

pub enum OpKind {
    Layer {
        callee: Callee,
        input: Var,
        row: Row,
    },
    Repeat {
        field: usize,
        input: Var,
    },
    Add(Var, Var),
}

/// What computes a layer.
pub enum Callee {
    Field(usize),
    /// A layer without parameters and settings is made where it is used.
    Inline(TokenStream),
}

/// A layer's line in the summary.
pub struct Row {
    pub layer: String,
    pub path: Vec<String>,
    pub shape: Shape,
    pub params: Dim,
}

/// What is minimised.
pub enum Loss {
    CrossEntropy { label_smoothing: Option<Expr> },
    Mse,
}
