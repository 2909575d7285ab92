//! Calls such as `conv2d(16, kernel: 3)`, and the values in them with their units.

use proc_macro2::Ident;
use syn::Token;
use syn::parse::ParseStream;

use super::Expr;
use crate::report::{Pos, Report};

/// A value of an argument: an expression or a list, with the unit behind it if there is one.
#[derive(Clone, Debug)]
pub struct Value {
    pub kind: ValueKind,
    pub unit: Option<(Unit, Pos)>,
    pub pos: Pos,
}

#[derive(Clone, Debug)]
pub enum ValueKind {
    Expr(Expr),
    List(Vec<Expr>),
}

/// `steps`, `epochs`, `examples` (singular too) and `%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Steps,
    Epochs,
    Percent,
    Examples,
}

/// `value` or `key: value`.
#[derive(Clone, Debug)]
pub struct Arg {
    pub key: Option<Ident>,
    pub value: Value,
}

/// `name`, `name(..)`.
#[derive(Clone, Debug)]
pub struct Call {
    pub name: Ident,
    pub args: Vec<Arg>,
    pub pos: Pos,
}

impl Value {
    pub fn parse(input: ParseStream) -> syn::Result<Value> {
        let (kind, pos) = if input.peek(syn::token::Bracket) {
            let content;
            let bracket = syn::bracketed!(content in input);
            let items = content.parse_terminated(Expr::parse, Token![,])?;
            let pos = Pos::from(bracket.span.open()).to(bracket.span.close());
            (ValueKind::List(items.into_iter().collect()), pos)
        } else {
            let expr = Expr::parse(input)?;
            let pos = expr.pos;
            (ValueKind::Expr(expr), pos)
        };
        let unit = Unit::parse(input)?;
        Ok(Value { kind, unit, pos })
    }
}

impl Value {
    /// The expression that this is, if it is no list.
    pub fn expr(&self) -> Option<&Expr> {
        match &self.kind {
            ValueKind::Expr(expr) => Some(expr),
            ValueKind::List(_) => None,
        }
    }
}

impl Unit {
    /// The unit that stands here, if one does.
    pub fn parse(input: ParseStream) -> syn::Result<Option<(Unit, Pos)>> {
        if input.peek(Token![%]) {
            let percent: Token![%] = input.parse()?;
            return Ok(Some((Unit::Percent, percent.span.into())));
        }
        let Ok(word) = input.fork().parse::<Ident>() else { return Ok(None) };
        let unit = match word.to_string().as_str() {
            "step" | "steps" => Unit::Steps,
            "epoch" | "epochs" => Unit::Epochs,
            "example" | "examples" => Unit::Examples,
            _ => return Ok(None),
        };
        let word: Ident = input.parse()?;
        Ok(Some((unit, (&word).into())))
    }
}

impl Call {
    /// A call; a broken argument is reported and left out, so that the others are still checked.
    pub fn parse(input: ParseStream, report: &Report) -> syn::Result<Call> {
        let name: Ident = input.parse()?;
        let mut call = Call { pos: (&name).into(), name, args: Vec::new() };
        if input.peek(syn::token::Paren) {
            let content;
            let paren = syn::parenthesized!(content in input);
            call.pos = call.pos.to(paren.span.close());
            call.args = arguments(&content, report);
        }
        Ok(call)
    }
}

fn arguments(input: ParseStream, report: &Report) -> Vec<Arg> {
    let mut args = Vec::new();
    while !input.is_empty() {
        let parsed = Arg::parse(input).and_then(|arg| {
            if input.is_empty() || input.peek(Token![,]) {
                Ok(arg)
            } else {
                Err(input.error("expected `,` between arguments"))
            }
        });
        match parsed {
            Ok(arg) => args.push(arg),
            Err(error) => report.syn(error),
        }
        super::skip_past(input, ',');
    }
    args
}

impl Arg {
    fn parse(input: ParseStream) -> syn::Result<Arg> {
        let key = if input.peek(syn::Ident) && input.peek2(Token![:]) && !input.peek2(Token![::]) {
            let key: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            Some(key)
        } else {
            None
        };
        Ok(Arg { key, value: Value::parse(input)? })
    }
}
