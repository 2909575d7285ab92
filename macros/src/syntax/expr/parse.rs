//! How an expression is read.

use proc_macro2::{Ident, Span};
use syn::parse::ParseStream;
use syn::{Lit, Token};

use super::{Choice, Compare, Expr, Node, Op};
use crate::report::Pos;
use crate::syntax::Unit;

/// Nesting beyond this is refused, and a sum or a product of more parts: what recurses over an
/// expression must not exhaust the compiler's stack.
const DEEPEST: usize = 64;

/// A chain of more operators is refused, since its tree leans as deep as it is long.
const LONGEST: usize = 64;

pub(super) fn sum(input: ParseStream, depth: usize) -> syn::Result<Expr> {
    let mut left = product(input, depth)?;
    for _ in 0..LONGEST {
        // `a -> b` is a chain, not `a` minus something.
        let op = if input.peek(Token![+]) {
            input.parse::<Token![+]>()?;
            Op::Add
        } else if input.peek(Token![-]) && !input.peek(Token![->]) {
            input.parse::<Token![-]>()?;
            Op::Sub
        } else {
            return Ok(left);
        };
        left = binary(op, left, product(input, depth)?);
    }
    Err(input.error("this expression has too many terms"))
}

fn product(input: ParseStream, depth: usize) -> syn::Result<Expr> {
    let mut left = atom(input, depth)?;
    for _ in 0..LONGEST {
        let op = if input.peek(Token![*]) {
            input.parse::<Token![*]>()?;
            Op::Mul
        } else if input.peek(Token![/]) {
            input.parse::<Token![/]>()?;
            Op::Div
        } else {
            return Ok(left);
        };
        left = binary(op, left, atom(input, depth)?);
    }
    Err(input.error("this expression has too many terms"))
}

fn binary(op: Op, left: Expr, right: Expr) -> Expr {
    let pos = left.pos.to(right.pos);
    Expr {
        node: Node::Binary(op, Box::new(left), Box::new(right)),
        pos,
    }
}

pub(super) fn atom(input: ParseStream, depth: usize) -> syn::Result<Expr> {
    if depth > DEEPEST {
        return Err(input.error("this expression is nested too deeply"));
    }
    if input.peek(syn::token::Paren) {
        let content;
        let paren = syn::parenthesized!(content in input);
        let inner = sum(&content, depth + 1)?;
        if !content.is_empty() {
            return Err(content.error("expected `)` or an operator here"));
        }
        let pos = Pos::from(paren.span.open()).to(paren.span.close());
        return Ok(Expr {
            node: inner.node,
            pos,
        });
    }
    if input.peek(Token![-]) {
        let minus: Token![-] = input.parse()?;
        let inner = atom(input, depth + 1)?;
        let pos = Pos::from(minus.span).to(inner.pos);
        return Ok(Expr {
            node: Node::Neg(Box::new(inner)),
            pos,
        });
    }
    if input.peek(Lit) {
        return literal(input.parse()?);
    }
    if input.peek(Token![if]) {
        return choice(input, depth);
    }
    if input.peek(syn::token::Bracket) {
        return pick(input, depth);
    }
    let any = |word: &Ident| word == "any";
    if (input.peek2(syn::Ident) || input.peek2(Lit))
        && input.fork().parse().is_ok_and(|word: Ident| any(&word))
    {
        let any: Ident = input.parse()?;
        let Ok(name) = input.parse::<Ident>() else {
            let message = "`any` gives a dimension its name: `any length`";
            return Err(syn::Error::new(any.span(), message));
        };
        return Ok(Expr {
            pos: Pos::from(&any).to(&name),
            node: Node::Any(name),
        });
    }
    if input.peek(syn::Ident) {
        let name: Ident = input.parse()?;
        return Ok(Expr {
            pos: (&name).into(),
            node: Node::Name(name),
        });
    }
    Err(input.error("expected a number, a name or `(`"))
}

/// `if a == b { x } else { y }`; `a < b` and `a > b` too.
fn choice(input: ParseStream, depth: usize) -> syn::Result<Expr> {
    let start: Token![if] = input.parse()?;
    let left = sum(input, depth + 1)?;
    let (compare, swapped) = if input.peek(Token![==]) {
        input.parse::<Token![==]>()?;
        (Compare::Equal, false)
    } else if input.peek(Token![<]) && !input.peek(Token![<=]) {
        input.parse::<Token![<]>()?;
        (Compare::Less, false)
    } else if input.peek(Token![>]) && !input.peek(Token![>=]) {
        input.parse::<Token![>]>()?;
        (Compare::Less, true)
    } else {
        return Err(input.error("expected a comparison here: `==`, `<` or `>`"));
    };
    let right = sum(input, depth + 1)?;
    let (left, right) = if swapped {
        (right, left)
    } else {
        (left, right)
    };
    let (then, _) = braced(input, depth)?;
    if !input.peek(Token![else]) {
        let message = "a number must come of either case: `if i == 0 { 2 } else { 1 }`";
        return Err(syn::Error::new(start.span, message));
    }
    input.parse::<Token![else]>()?;
    let (otherwise, end) = if input.peek(Token![if]) {
        let otherwise = choice(input, depth + 1)?;
        let end = otherwise.pos;
        (otherwise, end)
    } else {
        braced(input, depth)?
    };
    Ok(Expr {
        pos: Pos::from(start.span).to(end),
        node: Node::If(Box::new(Choice {
            compare,
            left,
            right,
            then,
            otherwise,
        })),
    })
}

/// `[a, b, c][i]`
fn pick(input: ParseStream, depth: usize) -> syn::Result<Expr> {
    let (content, place);
    let list = syn::bracketed!(content in input);
    let mut items = Vec::new();
    if content.is_empty() {
        let message = "this list holds nothing to pick from: `[2, 4][i]`";
        return Err(syn::Error::new(list.span.join(), message));
    }
    while !content.is_empty() {
        items.push(sum(&content, depth + 1)?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    if !input.peek(syn::token::Bracket) {
        let message = "expected a number, found a list; one of its elements is `[2, 4][i]`";
        return Err(syn::Error::new(list.span.join(), message));
    }
    let end = syn::bracketed!(place in input);
    let index = sum(&place, depth + 1)?;
    if !place.is_empty() {
        return Err(place.error("expected `]` or an operator here"));
    }
    Ok(Expr {
        node: Node::Pick(items, Box::new(index)),
        pos: Pos::from(list.span.open()).to(end.span.close()),
    })
}

/// `{ number }`, and where it ends.
fn braced(input: ParseStream, depth: usize) -> syn::Result<(Expr, Pos)> {
    if depth > DEEPEST {
        return Err(input.error("this expression is nested too deeply"));
    }
    if !input.peek(syn::token::Brace) {
        return Err(input.error("expected a number in braces: `if i == 0 { 2 } else { 1 }`"));
    }
    let content;
    let brace = syn::braced!(content in input);
    let inner = sum(&content, depth + 1)?;
    if !content.is_empty() {
        return Err(content.error("expected `}` or an operator here"));
    }
    Ok((inner, brace.span.close().into()))
}

fn literal(lit: Lit) -> syn::Result<Expr> {
    let span: Span = lit.span();
    let unknown_suffix =
        |suffix: &str, types: &[&str]| !suffix.is_empty() && !types.contains(&suffix);
    let node = match &lit {
        Lit::Int(int) if Unit::named(int.suffix()).is_some() => {
            let message = format!(
                "put a space before the unit: `{} {}`",
                int.base10_digits(),
                int.suffix()
            );
            return Err(syn::Error::new(span, message));
        }
        Lit::Int(int) if unknown_suffix(int.suffix(), &["usize", "f64"]) => {
            let message = format!("`{}` is no unit or type of the language here", int.suffix());
            return Err(syn::Error::new(span, message));
        }
        Lit::Int(int) if int.suffix() == "f64" => Node::Float(int.base10_parse()?),
        Lit::Int(int) => match int.base10_parse() {
            Ok(value) => Node::Int(value),
            Err(_) => {
                let message = "this whole number is too large: below 2^64 is what can be written";
                return Err(syn::Error::new(span, message));
            }
        },
        Lit::Float(float) if unknown_suffix(float.suffix(), &["f64"]) => {
            let message = format!(
                "`{}` is no unit or type of the language here",
                float.suffix()
            );
            return Err(syn::Error::new(span, message));
        }
        Lit::Float(float) => {
            let value: f64 = float.base10_parse()?;
            if !value.is_finite() {
                return Err(syn::Error::new(span, "this number is too large for an f64"));
            }
            Node::Float(value)
        }
        Lit::Bool(bool) => Node::Bool(bool.value),
        _ => {
            return Err(syn::Error::new(
                span,
                "expected a number, a name or `true` or `false`",
            ));
        }
    };
    Ok(Expr {
        node,
        pos: span.into(),
    })
}
