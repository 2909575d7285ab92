//! Arithmetic on literals and hyper-parameters: what a number of the language may be.

mod parse;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::ParseStream;

use super::{Head, HyperType, Local, LocalKind, head};
use crate::report::{Pos, Report};
use crate::suggest;

/// `16`, `2 * classes`, `(width + 1) / 2`, `0.1`, `true`, or a word of the language.
#[derive(Clone, Debug)]
pub struct Expr {
    pub node: Node,
    pub pos: Pos,
}

#[derive(Clone, Debug)]
pub enum Node {
    Int(u64),
    Float(f64),
    Bool(bool),
    Name(Ident),
    /// `any length`: a dimension that is known only when the tensor arrives. `Expr::check` lets it
    /// pass nowhere; the shape of an input takes it before.
    Any(Ident),
    Neg(Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    /// `if i == 0 { a } else { b }`
    If(Box<Choice>),
    /// `[a, b, c][i]`
    Pick(Vec<Expr>, Box<Expr>),
}

/// A choice between two numbers by a comparison of two whole ones.
#[derive(Clone, Debug)]
pub struct Choice {
    pub compare: Compare,
    pub left: Expr,
    pub right: Expr,
    pub then: Expr,
    pub otherwise: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compare {
    Equal,
    Less,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
}

/// What an expression comes to when every hyper-parameter in it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub fn float(self) -> f64 {
        match self {
            Number::Int(value) => value as f64,
            Number::Float(value) => value,
        }
    }
}

impl Expr {
    pub fn parse(input: ParseStream) -> syn::Result<Expr> {
        parse::sum(input, 0)
    }

    /// A number, a name, or what stands in parentheses.
    pub fn parse_factor(input: ParseStream) -> syn::Result<Expr> {
        parse::atom(input, 0)
    }

    /// The word that this expression is, if it is one word.
    pub fn word(&self) -> Option<&Ident> {
        match &self.node {
            Node::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The value without any hyper-parameter, or with their defaults; `None` where one is unknown,
    /// where a division by zero stands in the way, or where the result leaves the range.
    pub fn eval(&self, known: &dyn Fn(&Ident) -> Option<Number>) -> Option<Number> {
        use Number::{Float, Int};
        Some(match &self.node {
            Node::Int(value) => Int(i128::from(*value)),
            Node::Float(value) => Float(*value),
            Node::Bool(_) | Node::Any(_) => return None,
            Node::Name(name) => known(name)?,
            Node::If(choice) => choice.taken(known)?.eval(known)?,
            Node::Pick(..) => self.picked(known)?.eval(known)?,
            Node::Neg(inner) => match inner.eval(known)? {
                Int(value) => Int(value.checked_neg()?),
                Float(value) => Float(-value),
            },
            Node::Binary(op, left, right) => match (left.eval(known)?, right.eval(known)?) {
                (Int(a), Int(b)) => Int(match op {
                    Op::Add => a.checked_add(b)?,
                    Op::Sub => a.checked_sub(b)?,
                    Op::Mul => a.checked_mul(b)?,
                    Op::Div => a.checked_div_euclid(b)?,
                }),
                (a, b) => {
                    let (a, b) = (a.float(), b.float());
                    Float(match op {
                        Op::Add => a + b,
                        Op::Sub => a - b,
                        Op::Mul => a * b,
                        Op::Div => a / b,
                    })
                }
            },
        })
    }

    /// The literal value, if no hyper-parameter is in it.
    pub fn literal(&self) -> Option<Number> {
        self.eval(&|_| None)
    }

    /// The literal value in real arithmetic.
    pub fn real(&self) -> Option<f64> {
        self.eval_float(&|_| None)
    }

    /// The value as a real number, where `9 / 10` is 0.9 as in [`Expr::float_tokens`].
    pub fn eval_float(&self, known: &dyn Fn(&Ident) -> Option<f64>) -> Option<f64> {
        Some(match &self.node {
            Node::Int(value) => *value as f64,
            Node::Float(value) => *value,
            Node::Bool(_) | Node::Any(_) => return None,
            Node::Name(name) => known(name)?,
            Node::If(choice) => {
                let whole = |name: &Ident| Some(Number::Int(known(name)? as i128));
                choice.taken(&whole)?.eval_float(known)?
            }
            Node::Pick(..) => self.picked(&|_| None)?.eval_float(known)?,
            Node::Neg(inner) => -inner.eval_float(known)?,
            Node::Binary(op, left, right) => {
                let (a, b) = (left.eval_float(known)?, right.eval_float(known)?);
                match op {
                    Op::Add => a + b,
                    Op::Sub => a - b,
                    Op::Mul => a * b,
                    Op::Div => a / b,
                }
            }
        })
    }

    /// Whether this is surely `true` or `false`: a literal, or a hyper-parameter with a default.
    pub fn truth(&self, head: &Head) -> Option<bool> {
        match &self.node {
            Node::Bool(value) => Some(*value),
            Node::Name(name) => match head.hyper(name)?.default.as_ref()?.node {
                Node::Bool(value) => Some(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The names in the expression.
    pub fn names(&self) -> Vec<String> {
        match &self.node {
            Node::Int(_) | Node::Float(_) | Node::Bool(_) => Vec::new(),
            Node::Name(name) | Node::Any(name) => vec![name.to_string()],
            Node::Neg(inner) => inner.names(),
            Node::Binary(_, left, right) => [left.names(), right.names()].concat(),
            Node::If(choice) => choice.parts().into_iter().flat_map(Expr::names).collect(),
            Node::Pick(items, index) => {
                let items = items.iter().chain([&**index]);
                items.flat_map(Expr::names).collect()
            }
        }
    }

    /// Reports a name in it that is known only when a tensor arrives, where `what` must be known
    /// before; says whether there is none.
    pub fn is_early(&self, what: &str, head: &Head, report: &Report) -> bool {
        let names = self.names();
        let locals = head.locals.borrow();
        let late = |local: &&Local| local.kind == LocalKind::Any && names.contains(&local.text());
        let found = locals.iter().find(late);
        if let Some(found) = found {
            let message = format!(
                "{what} is needed before a tensor arrives, and `{}` is known only then; write a \
                 number or a hyper-parameter",
                found.name,
            );
            report.error(self.pos, message);
        }
        found.is_none()
    }

    /// The element that `[a, b, c][i]` stands for.
    pub fn picked(&self, known: &dyn Fn(&Ident) -> Option<Number>) -> Option<&Expr> {
        match &self.node {
            Node::Pick(items, index) => match index.eval(known)? {
                Number::Int(index) => items.get(usize::try_from(index).ok()?),
                Number::Float(_) => None,
            },
            _ => None,
        }
    }

    /// Whether it is made of whole numbers alone.
    pub fn is_whole(&self, head: &Head) -> bool {
        match &self.node {
            Node::Int(_) => true,
            Node::Float(_) | Node::Bool(_) | Node::Any(_) => false,
            Node::Name(name) => match head.hyper(name) {
                Some(hyper) => hyper.ty == HyperType::Int,
                None => head.local(name).is_some(),
            },
            Node::Neg(inner) => inner.is_whole(head),
            Node::Binary(_, left, right) => left.is_whole(head) && right.is_whole(head),
            Node::If(choice) => choice.then.is_whole(head) && choice.otherwise.is_whole(head),
            Node::Pick(items, _) => items.iter().all(|item| item.is_whole(head)),
        }
    }

    /// Whether it may be negative or a fraction though its names are whole numbers from 0.
    pub fn may_leave_counts(&self) -> bool {
        match &self.node {
            Node::Int(_) | Node::Name(_) | Node::Any(_) => false,
            Node::Float(_) | Node::Bool(_) | Node::Neg(_) => true,
            Node::Binary(op, left, right) => {
                matches!(op, Op::Sub | Op::Div)
                    || left.may_leave_counts()
                    || right.may_leave_counts()
            }
            Node::If(choice) => {
                choice.then.may_leave_counts() || choice.otherwise.may_leave_counts()
            }
            Node::Pick(items, _) => items.iter().any(Expr::may_leave_counts),
        }
    }

    /// What is divided by in it.
    pub fn divisors(&self) -> Vec<&Expr> {
        match &self.node {
            Node::Int(_) | Node::Float(_) | Node::Bool(_) | Node::Name(_) | Node::Any(_) => {
                Vec::new()
            }
            Node::Neg(inner) => inner.divisors(),
            Node::Binary(op, left, right) => {
                let own = (*op == Op::Div).then_some(&**right);
                let inner = [left.divisors(), right.divisors()].concat();
                own.into_iter().chain(inner).collect()
            }
            Node::If(choice) => choice
                .parts()
                .into_iter()
                .flat_map(Expr::divisors)
                .collect(),
            Node::Pick(items, _) => items.iter().flat_map(Expr::divisors).collect(),
        }
    }

    /// Puts `value` in the place of `name`; says whether it was there.
    pub fn substitute(&mut self, name: &Ident, value: u64) -> bool {
        match &mut self.node {
            Node::Name(found) if found == name => {
                self.node = Node::Int(value);
                true
            }
            Node::Int(_) | Node::Float(_) | Node::Bool(_) | Node::Name(_) | Node::Any(_) => false,
            Node::Neg(inner) => inner.substitute(name, value),
            Node::Binary(_, left, right) => {
                let found = left.substitute(name, value);
                right.substitute(name, value) || found
            }
            Node::If(choice) => {
                let parts = choice.parts_mut().map(|part| part.substitute(name, value));
                parts.contains(&true)
            }
            Node::Pick(items, index) => {
                let parts = items.iter_mut().chain([&mut **index]);
                // Each of them, not only the first that has it.
                parts
                    .filter_map(|part| part.substitute(name, value).then_some(()))
                    .count()
                    > 0
            }
        }
    }

    /// Tokens of type `bool`, with hyper-parameters read from `owner`.
    pub fn bool_tokens(&self, owner: &TokenStream) -> TokenStream {
        match &self.node {
            Node::Bool(value) => quote!(#value),
            Node::Name(name) => quote!(#owner.#name),
            _ => quote!(false),
        }
    }

    /// Tokens of type `f64`, with hyper-parameters read from `owner`.
    pub fn float_tokens(&self, head: &Head, owner: &TokenStream) -> TokenStream {
        match &self.node {
            Node::Int(value) => {
                let value = *value as f64;
                quote!(#value)
            }
            Node::Float(value) => quote!(#value),
            Node::Bool(_) | Node::Any(_) => quote!(0.0f64),
            Node::Name(name) => match head.hyper(name).map(|hyper| hyper.ty) {
                Some(HyperType::Float) => quote!(#owner.#name),
                Some(_) => quote!((#owner.#name as ::core::primitive::f64)),
                None => {
                    let local = head::local(&name.to_string());
                    quote!((#local as ::core::primitive::f64))
                }
            },
            Node::Pick(..) => match self.picked(&|_| None) {
                Some(item) => item.float_tokens(head, owner),
                None => quote!(0.0f64),
            },
            Node::If(choice) => {
                let op = choice.compare.tokens();
                let [left, right, ..] = choice.parts().map(|part| part.whole_tokens(head, owner));
                let [.., then, otherwise] =
                    choice.parts().map(|part| part.float_tokens(head, owner));
                quote!((if #left #op #right { #then } else { #otherwise }))
            }
            Node::Neg(inner) => {
                let inner = inner.float_tokens(head, owner);
                quote!((-#inner))
            }
            Node::Binary(op, left, right) => {
                let left = left.float_tokens(head, owner);
                let right = right.float_tokens(head, owner);
                let op = op.tokens();
                quote!((#left #op #right))
            }
        }
    }

    /// Tokens of type `i128`, with hyper-parameters read from `owner`: what is compared in a
    /// choice between real numbers.
    fn whole_tokens(&self, head: &Head, owner: &TokenStream) -> TokenStream {
        match &self.node {
            Node::Int(value) => {
                let value = i128::from(*value);
                quote!(#value)
            }
            Node::Float(_) | Node::Bool(_) | Node::Any(_) => quote!(0i128),
            Node::Name(name) => match head.hyper(name) {
                Some(_) => quote!((#owner.#name as ::core::primitive::i128)),
                None => {
                    let local = head::local(&name.to_string());
                    quote!(#local)
                }
            },
            Node::Neg(inner) => {
                let inner = inner.whole_tokens(head, owner);
                quote!((-#inner))
            }
            Node::Binary(op, left, right) => {
                let [left, right] = [left, right].map(|side| side.whole_tokens(head, owner));
                match op {
                    Op::Add => quote!(#left.saturating_add(#right)),
                    Op::Sub => quote!(#left.saturating_sub(#right)),
                    Op::Mul => quote!(#left.saturating_mul(#right)),
                    Op::Div => quote!(::kiln::__private::floor_div(#left, #right)),
                }
            }
            Node::If(choice) => {
                let op = choice.compare.tokens();
                let [left, right, then, otherwise] =
                    choice.parts().map(|part| part.whole_tokens(head, owner));
                quote!((if #left #op #right { #then } else { #otherwise }))
            }
            Node::Pick(..) => match self.picked(&|_| None) {
                Some(item) => item.whole_tokens(head, owner),
                None => quote!(0i128),
            },
        }
    }

    /// Reports every name in the expression that is no hyper-parameter, or not one of `wanted`'s
    /// type; says whether all are.
    pub fn check(&self, wanted: HyperType, head: &Head, report: &Report) -> bool {
        match &self.node {
            Node::Int(_) => wanted != HyperType::Bool || self.refuse(wanted, report),
            Node::Float(_) => wanted == HyperType::Float || self.refuse(wanted, report),
            Node::Bool(_) => wanted == HyperType::Bool || self.refuse(wanted, report),
            Node::Name(name) => head.resolve(name, wanted, report),
            Node::Any(name) => {
                let message = format!(
                    "`any` declares a dimension, which only the shape of an input can; elsewhere its \
                     name stands alone: `{name}`"
                );
                report.error(self.pos, message);
                false
            }
            Node::If(_) | Node::Pick(..) if wanted == HyperType::Bool => {
                self.refuse(wanted, report)
            }
            Node::Pick(items, index) => {
                let wrong = items
                    .iter()
                    .filter(|item| !item.check(wanted, head, report));
                let fits = wrong.count() == 0;
                if !index.check(HyperType::Int, head, report) {
                    return false;
                }
                if self.picked(&|_| None).is_none() {
                    let count = items.len();
                    let message = match index.literal() {
                        Some(Number::Int(found)) => format!(
                            "this list of {count} is counted from 0, so its index is below \
                             {count}, found {found}"
                        ),
                        _ => "a list is indexed by a plain number, or by the index of a `repeat` \
                              that ends at a plain number"
                            .to_owned(),
                    };
                    report.error(index.pos, message);
                    return false;
                }
                fits
            }
            Node::If(choice) => {
                let [left, right, then, otherwise] = choice.parts();
                // Of a comparison of real numbers one side says enough.
                let compared = left.check(HyperType::Int, head, report)
                    && right.check(HyperType::Int, head, report);
                let chosen = [then, otherwise].map(|part| part.check(wanted, head, report));
                compared && chosen == [true, true]
            }
            Node::Neg(_) if wanted == HyperType::Bool => self.refuse(wanted, report),
            Node::Neg(inner) => inner.check(wanted, head, report),
            Node::Binary(..) if wanted == HyperType::Bool => self.refuse(wanted, report),
            Node::Binary(_, left, right) => {
                let left = left.check(wanted, head, report);
                right.check(wanted, head, report) && left
            }
        }
    }

    fn refuse(&self, wanted: HyperType, report: &Report) -> bool {
        let found = match &self.node {
            Node::Int(value) => format!("`{value}`"),
            // With its point: `10.0` is no whole number.
            Node::Float(value) => format!("`{value:?}`"),
            Node::Bool(value) => format!("`{value}`"),
            _ => "arithmetic".into(),
        };
        report.error(
            self.pos,
            format!("expected {}, found {found}", wanted.described()),
        );
        false
    }
}

impl Choice {
    fn parts(&self) -> [&Expr; 4] {
        [&self.left, &self.right, &self.then, &self.otherwise]
    }

    fn parts_mut(&mut self) -> [&mut Expr; 4] {
        let Choice {
            left,
            right,
            then,
            otherwise,
            ..
        } = self;
        [left, right, then, otherwise]
    }

    fn taken(&self, known: &dyn Fn(&Ident) -> Option<Number>) -> Option<&Expr> {
        let (Number::Int(a), Number::Int(b)) = (self.left.eval(known)?, self.right.eval(known)?)
        else {
            return None;
        };
        Some(if self.compare.holds(a, b) {
            &self.then
        } else {
            &self.otherwise
        })
    }
}

impl Compare {
    pub fn holds(self, a: i128, b: i128) -> bool {
        match self {
            Compare::Equal => a == b,
            Compare::Less => a < b,
        }
    }

    pub fn tokens(self) -> TokenStream {
        match self {
            Compare::Equal => quote!(==),
            Compare::Less => quote!(<),
        }
    }
}

impl Op {
    fn tokens(self) -> TokenStream {
        match self {
            Op::Add => quote!(+),
            Op::Sub => quote!(-),
            Op::Mul => quote!(*),
            Op::Div => quote!(/),
        }
    }
}

impl Head {
    /// Reports `name` if it is no hyper-parameter of type `wanted`; if it is one, it is used.
    fn resolve(&self, name: &Ident, wanted: HyperType, report: &Report) -> bool {
        if self.local(name).is_some() {
            let fits = wanted != HyperType::Bool;
            if !fits {
                let wanted = wanted.described();
                report.error(
                    name,
                    format!("expected {wanted}, but `{name}` is a whole number"),
                );
            }
            return fits;
        }
        let Some(hyper) = self.hyper(name) else {
            if self.unread.contains(name) {
                return false;
            }
            let names = self.hypers.iter().map(|hyper| hyper.text());
            let locals = self.locals.borrow();
            let locals = locals.iter().map(|local| local.name.to_string());
            let names: Vec<String> = names.chain(locals).collect();
            let hint = suggest::hint(
                &name.to_string(),
                "the hyper-parameters are",
                names.iter().map(String::as_str),
            );
            report.error(
                name,
                format!(
                    "expected {}, found the unknown name `{name}`{hint}",
                    wanted.described()
                ),
            );
            return false;
        };
        hyper.used.set(true);
        // A whole number serves where a real one is asked for, as a literal does.
        let fits = hyper.ty == wanted || (hyper.ty, wanted) == (HyperType::Int, HyperType::Float);
        if !fits {
            report.error(
                name,
                format!(
                    "expected {}, but the hyper-parameter `{name}` is of type `{}`",
                    wanted.described(),
                    hyper.ty.name(),
                ),
            );
        }
        fits
    }
}
