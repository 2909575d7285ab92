//! Reads the code that makes a layer.

use kiln::layer::{
    Activation, InterpolateMode, InterpolateSize, Nonlinearity, PadMode, PaddingConfig1d,
    PaddingConfig2d, PaddingConfig3d,
};
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprCall, Lit, Member};

use crate::syntax::{Head, Number};

/// `Into::into(Config::new(a, b).with_c(d).init(device))`, taken apart.
#[derive(Default)]
pub struct Code {
    pub name: String,
    pub new: Vec<Expr>,
    pub with: Vec<(String, Expr)>,
}

impl Code {
    pub fn of(tokens: &TokenStream) -> Code {
        let mut code = Code::default();
        let mut expr: Expr = syn::parse2(tokens.clone()).expect("an expression");
        loop {
            expr = match expr {
                Expr::MethodCall(call) => {
                    if call.method != "init" {
                        let value = call.args.first().expect("an argument").clone();
                        code.with.push((call.method.to_string(), value));
                    }
                    *call.receiver
                }
                Expr::Call(call) => {
                    let (of, function) = path(&call);
                    if function == "into" {
                        call.args.first().expect("an argument").clone()
                    } else {
                        code.name = of;
                        code.new = call.args.into_iter().collect();
                        return code;
                    }
                }
                other => unknown(&other),
            };
        }
    }
}

fn unknown(code: &impl ToTokens) -> ! {
    panic!("`{}` is not known here", code.to_token_stream())
}

/// The last two names of what is called.
fn path(call: &ExprCall) -> (String, String) {
    let Expr::Path(path) = &*call.func else {
        unknown(&call);
    };
    let names = path
        .path
        .segments
        .iter()
        .map(|segment| segment.ident.to_string());
    let names: Vec<_> = names.collect();
    match names.as_slice() {
        [.., of, function] => (of.clone(), function.clone()),
        _ => panic!("{names:?} is too short"),
    }
}

/// What a piece of the code comes to, with the defaults of the hyper-parameters.
pub trait Read: Sized {
    fn read(expr: &Expr, head: &Head) -> Self;
}

fn whole(expr: &Expr, head: &Head) -> i128 {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(int) => int.base10_parse().expect("a whole number"),
            other => unknown(&other),
        },
        Expr::Paren(inner) => whole(&inner.expr, head),
        Expr::Group(inner) => whole(&inner.expr, head),
        Expr::Cast(inner) => whole(&inner.expr, head),
        Expr::Unary(inner) => -whole(&inner.expr, head),
        Expr::Field(field) => match hyper(&field.member, head) {
            Number::Int(value) => value,
            Number::Float(value) => panic!("{value} is no whole number"),
        },
        Expr::MethodCall(call) => {
            let (a, b) = (whole(&call.receiver, head), whole(&call.args[0], head));
            match call.method.to_string().as_str() {
                "saturating_add" => a + b,
                "saturating_mul" => a * b,
                other => panic!("`{other}` is not known here"),
            }
        }
        Expr::Call(call) => {
            let (a, b) = (whole(&call.args[0], head), whole(&call.args[1], head));
            match path(call).1.as_str() {
                "floor_div" => a.div_euclid(b),
                "min" => a.min(b),
                other => panic!("`{other}` is not known here"),
            }
        }
        Expr::If(choice) => {
            let Expr::Binary(compare) = &*choice.cond else {
                unknown(&choice);
            };
            let (a, b) = (whole(&compare.left, head), whole(&compare.right, head));
            let holds = match compare.op {
                syn::BinOp::Lt(_) => a < b,
                _ => a == b,
            };
            let otherwise = choice.else_branch.as_ref().expect("an `else`");
            match (holds, &choice.then_branch.stmts[0], &*otherwise.1) {
                (true, syn::Stmt::Expr(then, _), _) => whole(then, head),
                (_, _, Expr::Block(block)) => match &block.block.stmts[0] {
                    syn::Stmt::Expr(otherwise, _) => whole(otherwise, head),
                    other => unknown(&other),
                },
                _ => unknown(&choice),
            }
        }
        other => unknown(&other),
    }
}

fn hyper(member: &Member, head: &Head) -> Number {
    let Member::Named(name) = member else {
        panic!("a hyper-parameter has a name");
    };
    head.default_of(name).expect("a default")
}

impl Read for usize {
    fn read(expr: &Expr, head: &Head) -> Self {
        usize::try_from(whole(expr, head)).expect("a size")
    }
}

impl Read for isize {
    fn read(expr: &Expr, head: &Head) -> Self {
        isize::try_from(whole(expr, head)).expect("an index")
    }
}

impl Read for i64 {
    fn read(expr: &Expr, head: &Head) -> Self {
        i64::try_from(whole(expr, head)).expect("a size or -1")
    }
}

impl Read for f64 {
    fn read(expr: &Expr, head: &Head) -> Self {
        match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Float(float) => float.base10_parse().expect("a number"),
                // `2f64`
                Lit::Int(int) => int.base10_parse().expect("a number"),
                other => unknown(&other),
            },
            Expr::Paren(inner) => f64::read(&inner.expr, head),
            Expr::Group(inner) => f64::read(&inner.expr, head),
            Expr::Cast(inner) => f64::read(&inner.expr, head),
            Expr::Unary(inner) => -f64::read(&inner.expr, head),
            Expr::Field(field) => hyper(&field.member, head).float(),
            other => unknown(&other),
        }
    }
}

impl Read for bool {
    fn read(expr: &Expr, _: &Head) -> Self {
        matches!(expr, Expr::Lit(lit) if matches!(&lit.lit, Lit::Bool(flag) if flag.value))
    }
}

fn list<T: Read>(expr: &Expr, head: &Head) -> Vec<T> {
    match expr {
        Expr::Array(array) => array.elems.iter().map(|item| T::read(item, head)).collect(),
        Expr::Macro(vec) => {
            let items = vec.mac.tokens.clone();
            list(&syn::parse_quote!([#items]), head)
        }
        other => unknown(&other),
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(expr: &Expr, head: &Head) -> Self {
        list(expr, head)
    }
}

impl<T: Read, const N: usize> Read for [T; N] {
    fn read(expr: &Expr, head: &Head) -> Self {
        let items: Vec<T> = list(expr, head);
        items.try_into().unwrap_or_else(|_| panic!("a list of {N}"))
    }
}

/// `Variant(..)` of an enum of settings: its name, and what is in it.
fn variant(expr: &Expr) -> (String, Vec<Expr>) {
    match expr {
        Expr::Call(call) => (path(call).1, call.args.iter().cloned().collect()),
        Expr::Path(path) => {
            let last = path.path.segments.last().expect("a name");
            (last.ident.to_string(), Vec::new())
        }
        other => unknown(&other),
    }
}

macro_rules! padding {
    ($($config:ident($($side:ident),*);)*) => {
        $(impl Read for $config {
            fn read(expr: &Expr, head: &Head) -> Self {
                let (name, sides) = variant(expr);
                assert_eq!(name, "Explicit");
                let mut sides = sides.iter().map(|side| usize::read(side, head));
                $(let $side = sides.next().expect("a side");)*
                $config::Explicit($($side),*)
            }
        })*
    };
}

padding! {
    PaddingConfig1d(left, right);
    PaddingConfig2d(top, left, bottom, right);
    PaddingConfig3d(depth, height, width);
}

impl Read for PadMode {
    fn read(expr: &Expr, head: &Head) -> Self {
        let (name, inside) = variant(expr);
        match name.as_str() {
            "Constant" => PadMode::Constant(f64::read(&inside[0], head) as f32),
            "Reflect" => PadMode::Reflect,
            "Replicate" => PadMode::Replicate,
            "Circular" => PadMode::Circular,
            other => panic!("`{other}` is no mode"),
        }
    }
}

impl Read for InterpolateSize {
    fn read(expr: &Expr, head: &Head) -> Self {
        let (name, inside) = variant(expr);
        let sizes = Vec::read(&inside[0], head);
        match name.as_str() {
            "To" => InterpolateSize::To(sizes),
            _ => InterpolateSize::By(sizes),
        }
    }
}

impl Read for InterpolateMode {
    fn read(expr: &Expr, _: &Head) -> Self {
        match variant(expr).0.as_str() {
            "Nearest" => InterpolateMode::Nearest,
            "Linear" => InterpolateMode::Linear,
            _ => InterpolateMode::Cubic,
        }
    }
}

impl Read for Option<f64> {
    fn read(expr: &Expr, head: &Head) -> Self {
        variant(expr).1.first().map(|value| f64::read(value, head))
    }
}

impl Read for Nonlinearity {
    fn read(expr: &Expr, _: &Head) -> Self {
        assert_eq!(variant(expr).0, "Relu");
        Nonlinearity::Relu
    }
}

impl Read for Activation {
    fn read(expr: &Expr, _: &Head) -> Self {
        assert_eq!(variant(expr).0, "Gelu");
        Activation::Gelu
    }
}
