//! Calls such as `conv2d(16, kernel: 3)`, and the values in them with their units.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Lit, LitStr, Token};

use super::{Expr, Node};
use crate::report::{Pos, Report};

/// A value of an argument: an expression, a list or a text, with the unit behind it if there is one.
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
    Text(String),
}

/// `steps`, `epochs`, `examples` (singular too), `%`, and `x` for times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Steps,
    Epochs,
    Percent,
    Examples,
    Times,
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
    /// Whether an argument could not be read, so that a missing one may be that.
    pub broken: bool,
}

impl Value {
    pub fn parse(input: ParseStream) -> syn::Result<Value> {
        let (kind, pos) = if input.peek(syn::token::Bracket) && !input.peek2(syn::token::Bracket) {
            let content;
            let bracket = syn::bracketed!(content in input);
            let items = content.parse_terminated(item, Token![,])?;
            let pos = Pos::from(bracket.span.open()).to(bracket.span.close());
            (ValueKind::List(items.into_iter().collect()), pos)
        } else if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            let pos = Pos::from(text.span());
            (ValueKind::Text(text.value()), pos)
        } else {
            if let Some((expr, unit)) = times(input)? {
                return Ok(Value {
                    pos: expr.pos,
                    kind: ValueKind::Expr(expr),
                    unit: Some(unit),
                });
            }
            let expr = Expr::parse(input)?;
            let pos = expr.pos;
            (ValueKind::Expr(expr), pos)
        };
        let unit = Unit::parse(input)?;
        Ok(Value { kind, unit, pos })
    }
}

/// `10x`, which is one token.
fn times(input: ParseStream) -> syn::Result<Option<(Expr, (Unit, Pos))>> {
    let Ok(literal) = input.fork().parse::<Lit>() else {
        return Ok(None);
    };
    let node = match &literal {
        Lit::Int(number) if number.suffix() == "x" => Node::Float(number.base10_parse()?),
        Lit::Float(number) if number.suffix() == "x" => Node::Float(number.base10_parse()?),
        _ => return Ok(None),
    };
    let pos = input.parse::<Lit>()?.span().into();
    Ok(Some((Expr { node, pos }, (Unit::Times, pos))))
}

/// An element of a list.
fn item(input: ParseStream) -> syn::Result<Expr> {
    let item = Expr::parse(input)?;
    match Unit::parse(&input.fork())? {
        Some(_) => Err(input.error("the unit goes behind the list: `[30, 60] epochs`")),
        None => Ok(item),
    }
}

impl Value {
    /// The expressions in it.
    pub fn exprs_mut(&mut self) -> &mut [Expr] {
        match &mut self.kind {
            ValueKind::Expr(expr) => std::slice::from_mut(expr),
            ValueKind::List(items) => items,
            ValueKind::Text(_) => &mut [],
        }
    }

    /// The expression that this is, if it is no list and no text.
    pub fn expr(&self) -> Option<&Expr> {
        match &self.kind {
            ValueKind::Expr(expr) => Some(expr),
            ValueKind::List(_) | ValueKind::Text(_) => None,
        }
    }
}

impl Unit {
    /// The unit that `word` names.
    pub fn named(word: &str) -> Option<Unit> {
        Some(match word {
            "step" | "steps" => Unit::Steps,
            "epoch" | "epochs" => Unit::Epochs,
            "example" | "examples" => Unit::Examples,
            "x" => Unit::Times,
            _ => return None,
        })
    }

    /// The unit that stands here, if one does.
    pub fn parse(input: ParseStream) -> syn::Result<Option<(Unit, Pos)>> {
        if input.peek(Token![%]) {
            let percent: Token![%] = input.parse()?;
            return Ok(Some((Unit::Percent, percent.span.into())));
        }
        let Ok(word) = input.fork().parse::<Ident>() else {
            return Ok(None);
        };
        let Some(unit) = Unit::named(&word.to_string()) else {
            return Ok(None);
        };
        let word: Ident = input.parse()?;
        Ok(Some((unit, (&word).into())))
    }
}

impl Call {
    /// A call; a broken argument is reported and left out, so that the others are still checked.
    pub fn parse(input: ParseStream, report: &Report) -> syn::Result<Call> {
        Call::arguments_of(input.parse()?, input, report)
    }

    /// The call of `name`, which was read.
    pub fn arguments_of(name: Ident, input: ParseStream, report: &Report) -> syn::Result<Call> {
        let mut call = Call {
            pos: (&name).into(),
            name,
            args: Vec::new(),
            broken: false,
        };
        if input.peek(syn::token::Paren) {
            let content;
            let paren = syn::parenthesized!(content in input);
            call.pos = call.pos.to(paren.span.close());
            call.arguments(&content, report);
        }
        Ok(call)
    }

    fn arguments(&mut self, input: ParseStream, report: &Report) {
        while !input.is_empty() {
            let parsed = Arg::parse(input).and_then(|arg| {
                if input.is_empty() || input.peek(Token![,]) {
                    Ok(arg)
                } else {
                    Err(input.error("expected `,` between arguments"))
                }
            });
            match parsed {
                Ok(arg) => self.args.push(arg),
                Err(error) => {
                    report.syn(error);
                    self.broken = true;
                }
            }
            super::skip_past(input, ',');
        }
    }
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
        Ok(Arg {
            key,
            value: Value::parse(input)?,
        })
    }
}
