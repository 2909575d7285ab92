//! IR: a network that was checked. It has only valid parts, every shape known, so that writing it
//! out is straight-line.

use proc_macro2::{Ident, Span, TokenStream};

use super::dim::{Dim, Shape};
pub use super::parse::Join;
use super::require::Check;
use crate::report::Pos;
use crate::syntax::{Expr, Head};

/// A checked declaration.
pub struct Network {
    pub head: Head,
    /// Whether its struct is the user's own.
    pub derived: bool,
    pub inputs: Vec<Input>,
    /// The model itself first, then the bodies of its `repeat`s.
    pub blocks: Vec<Block>,
    pub outputs: Vec<Output>,
    /// What is minimised: their sum. None for a network that is only a layer of others.
    pub losses: Vec<Loss>,
    /// What only the hyper-parameters' values can decide: left to `init`.
    pub checks: Vec<Check>,
    /// What only the tensors that arrive can decide: left to `forward`.
    pub late: Vec<Check>,
    /// The layers of the user's own.
    pub own: Vec<OwnLayer>,
}

pub struct Input {
    pub name: Ident,
    pub shape: Shape,
    pub integers: bool,
}

pub struct Output {
    pub name: Ident,
    pub var: Var,
    pub shape: Shape,
    /// The layer that made it, if one did.
    pub last_layer: Option<Ident>,
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
    /// The repetitions among them, those around others first.
    pub written: Vec<Written>,
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
    Repeat(Repeat),
}

/// Repetitions of a block, behind the first `written` ones, which stand beside them.
pub struct Repeat {
    pub block: usize,
    pub index: Option<Ident>,
    pub from: Dim,
    pub to: Dim,
    pub written: usize,
}

/// A repetition of a `repeat` that is written out: which operations it is.
pub struct Written {
    /// The `repeat`'s parameter path, relative to the block.
    pub path: Vec<String>,
    pub number: usize,
    pub ops: std::ops::Range<usize>,
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
        /// The value that runs through the chain first.
        inputs: Vec<Var>,
        row: Row,
    },
    Repeat {
        field: usize,
        input: Var,
    },
    Join {
        join: Join,
        /// Of a `residual` its block comes second.
        inputs: [Var; 2],
        /// Whether the two are of one shape, so that nothing is spread.
        same: bool,
    },
    Concat {
        inputs: Vec<Var>,
        /// Behind the batch.
        dim: usize,
        shape: Shape,
    },
}

impl OpKind {
    pub fn inputs(&self) -> &[Var] {
        match self {
            OpKind::Layer { inputs, .. } | OpKind::Concat { inputs, .. } => inputs,
            OpKind::Repeat { input, .. } => std::slice::from_ref(input),
            OpKind::Join { inputs, .. } => inputs,
        }
    }
}

/// What computes a layer.
#[derive(Clone)]
pub enum Callee {
    Field(usize),
    /// A layer without parameters and settings is made where it is used.
    Inline(TokenStream),
    /// A layer of the user's own, by its place in [`Network::own`].
    /// Where it is `shared` it was described before.
    Own {
        field: usize,
        own: usize,
        shared: bool,
    },
}

/// A layer of the user's own: a type with its settings, the shape that goes in and the one that is
/// said to come out.
pub struct OwnLayer {
    pub path: syn::Path,
    /// Where it stands, for what rustc says of it.
    pub span: Span,
    /// A reference.
    pub config: TokenStream,
    pub input: Shape,
    pub output: Shape,
    /// The layer with its parameter path, for messages.
    pub place: String,
    pub loops: Vec<super::require::Loop>,
}

/// A layer's line in the summary.
#[derive(Clone)]
pub struct Row {
    pub layer: String,
    pub path: Vec<String>,
    pub shape: Shape,
    pub params: Dim,
    pub multiply_adds: Dim,
}

/// A loss of one output or more, as a function of `kiln::loss`.
pub struct Loss {
    pub weight: Option<Expr>,
    pub function: &'static str,
    /// The outputs, by their places.
    pub outputs: Vec<usize>,
    pub target: Target,
    /// What stands behind the target.
    pub settings: Vec<Setting>,
}

pub enum Setting {
    Real(Expr),
    Written(TokenStream),
}

/// What a loss compares with.
pub enum Target {
    Classes { classes: Dim, places: Shape },
    Sequence { classes: Dim, longest: Dim },
    Values(Shape),
}
