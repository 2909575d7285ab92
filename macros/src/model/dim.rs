//! A dimension: a polynomial over the hyper-parameters with whole coefficients.
//!
//! Polynomials have a normal form, so `2 * channels` and `channels + channels` are the same
//! dimension while compiling; without hyper-parameters a dimension is a plain number. A rounded
//! division that does not come to a number is an unknown of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use crate::syntax::{self, Compare, Expr, Head, LocalKind, Node, Op};

/// A dimension; unknown where an earlier mistake left it open, so that one mistake is reported
/// once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dim(Option<Polynomial>);

/// Coefficients by monomial. A monomial is the sorted list of its factors; zero coefficients are
/// left out.
type Polynomial = BTreeMap<Vec<Atom>, i128>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Atom {
    Hyper(String),
    /// A dimension that is known only when the tensor arrives; at least 1.
    Any(String),
    /// The index of a `repeat`, and what it is never below.
    Index(String, i128),
    /// `floor(a / b)`
    Quotient(Dim, Dim),
    Choice(Box<Choice>),
    Smaller(Dim, Dim),
}

/// `if left == right { then } else { otherwise }`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Choice {
    compare: Compare,
    left: Dim,
    right: Dim,
    then: Dim,
    otherwise: Dim,
}

impl Dim {
    pub const UNKNOWN: Dim = Dim(None);

    pub fn of(value: i128) -> Dim {
        Dim(Some(if value == 0 {
            BTreeMap::new()
        } else {
            BTreeMap::from([(Vec::new(), value)])
        }))
    }

    fn atom(atom: Atom) -> Dim {
        Dim(Some(BTreeMap::from([(vec![atom], 1)])))
    }

    /// A dimension that is known only when the tensor arrives.
    pub fn any(name: &Ident) -> Dim {
        Dim::named(&name.to_string())
    }

    /// The same, by its name.
    pub fn named(any: &str) -> Dim {
        Dim::atom(Atom::Any(any.to_owned()))
    }

    /// The dimension that an expression stands for. The expression was checked: every name in it
    /// is a whole hyper-parameter, or stands for a number.
    pub fn from_expr(expr: &Expr, head: &Head) -> Dim {
        match &expr.node {
            Node::Int(value) => Dim::of(i128::from(*value)),
            Node::Name(name) => Dim::atom(match head.local(name) {
                Some(LocalKind::Any) => Atom::Any(name.to_string()),
                Some(LocalKind::Index(low)) => Atom::Index(name.to_string(), low),
                None => Atom::Hyper(name.to_string()),
            }),
            Node::Neg(inner) => Dim::of(0).sub(&Dim::from_expr(inner, head)),
            Node::Pick(..) => match expr.picked(&|_| None) {
                Some(item) => Dim::from_expr(item, head),
                None => Dim::UNKNOWN,
            },
            Node::If(choice) => Choice {
                compare: choice.compare,
                left: Dim::from_expr(&choice.left, head),
                right: Dim::from_expr(&choice.right, head),
                then: Dim::from_expr(&choice.then, head),
                otherwise: Dim::from_expr(&choice.otherwise, head),
            }
            .dim(),
            Node::Binary(op, left, right) => {
                let [left, right] = [left, right].map(|side| Dim::from_expr(side, head));
                match op {
                    Op::Add => left.add(&right),
                    Op::Sub => left.sub(&right),
                    Op::Mul => left.mul(&right),
                    Op::Div => left.floor_div(&right),
                }
            }
            Node::Float(_) | Node::Bool(_) | Node::Any(_) => Dim::UNKNOWN,
        }
    }

    pub fn is_unknown(&self) -> bool {
        self.0.is_none()
    }

    /// The number, if no hyper-parameter is in it.
    pub fn number(&self) -> Option<i128> {
        let terms = self.0.as_ref()?;
        match terms.len() {
            0 => Some(0),
            1 => terms.get(&Vec::new()).copied(),
            _ => None,
        }
    }

    pub fn add(&self, other: &Dim) -> Dim {
        self.combine(other, 1)
    }

    pub fn sub(&self, other: &Dim) -> Dim {
        self.combine(other, -1)
    }

    fn combine(&self, other: &Dim, sign: i128) -> Dim {
        let (Some(left), Some(right)) = (&self.0, &other.0) else {
            return Dim::UNKNOWN;
        };
        let mut sum = left.clone();
        for (monomial, coefficient) in right {
            let entry = sum.entry(monomial.clone()).or_insert(0);
            let Some(value) = coefficient
                .checked_mul(sign)
                .and_then(|c| entry.checked_add(c))
            else {
                return Dim::UNKNOWN;
            };
            *entry = value;
        }
        sum.retain(|_, coefficient| *coefficient != 0);
        Dim(Some(sum))
    }

    pub fn mul(&self, other: &Dim) -> Dim {
        let (Some(left), Some(right)) = (&self.0, &other.0) else {
            return Dim::UNKNOWN;
        };
        // Beyond this a declaration is no longer written by a person.
        if left.len() * right.len() > 4096 {
            return Dim::UNKNOWN;
        }
        let mut product = Polynomial::new();
        for (a, x) in left {
            for (b, y) in right {
                let mut monomial = [a.as_slice(), b.as_slice()].concat();
                monomial.sort();
                let entry = product.entry(monomial).or_insert(0);
                let Some(value) = x.checked_mul(*y).and_then(|xy| entry.checked_add(xy)) else {
                    return Dim::UNKNOWN;
                };
                *entry = value;
            }
        }
        product.retain(|_, coefficient| *coefficient != 0);
        Dim(Some(product))
    }

    /// `floor(self / other)`.
    pub fn floor_div(&self, other: &Dim) -> Dim {
        match (self.number(), other.number()) {
            (Some(_), Some(0)) => Dim::UNKNOWN,
            (Some(a), Some(b)) => a.checked_div_euclid(b).map_or(Dim::UNKNOWN, Dim::of),
            (_, Some(1)) => self.clone(),
            _ if self.is_unknown() || other.is_unknown() => Dim::UNKNOWN,
            _ => Dim::atom(Atom::Quotient(self.clone(), other.clone())),
        }
    }

    /// The smaller one.
    pub fn smaller(&self, other: &Dim) -> Dim {
        let more = self.sub(other);
        if self.is_unknown() || other.is_unknown() {
            Dim::UNKNOWN
        } else if more.lower_bound().is_some_and(|bound| bound >= 0) {
            other.clone()
        } else if other
            .sub(self)
            .lower_bound()
            .is_some_and(|bound| bound >= 0)
        {
            self.clone()
        } else {
            Dim::atom(Atom::Smaller(self.clone(), other.clone()))
        }
    }

    /// The larger one.
    pub fn larger(&self, other: &Dim) -> Dim {
        let negative = |dim: &Dim| Dim::of(0).sub(dim);
        negative(&negative(self).smaller(&negative(other)))
    }

    pub fn product<'a>(dims: impl IntoIterator<Item = &'a Dim>) -> Dim {
        dims.into_iter()
            .fold(Dim::of(1), |product, dim| product.mul(dim))
    }

    /// A number that the dimension is never below, whatever the hyper-parameters are.
    pub fn lower_bound(&self) -> Option<i128> {
        let terms = self.0.as_ref()?;
        let mut bound = 0i128;
        for (monomial, coefficient) in terms {
            let mut term = *coefficient;
            if term < 0 && !monomial.is_empty() {
                return None;
            }
            for atom in monomial {
                term = term.checked_mul(match atom {
                    Atom::Hyper(_) => 0,
                    Atom::Any(_) => 1,
                    Atom::Index(_, low) => *low,
                    // They may be negative.
                    Atom::Quotient(..) | Atom::Choice(_) | Atom::Smaller(..) => return None,
                })?;
            }
            bound = bound.checked_add(term)?;
        }
        Some(bound)
    }

    /// Every atom in it, those inside of others too.
    fn atoms(&self, see: &mut dyn FnMut(&Atom)) {
        for atom in self.0.iter().flatten().flat_map(|(monomial, _)| monomial) {
            see(atom);
            match atom {
                Atom::Hyper(_) | Atom::Any(_) | Atom::Index(..) => {}
                Atom::Quotient(a, b) | Atom::Smaller(a, b) => {
                    a.atoms(see);
                    b.atoms(see);
                }
                Atom::Choice(choice) => {
                    let Choice {
                        left,
                        right,
                        then,
                        otherwise,
                        ..
                    } = &**choice;
                    for dim in [left, right, then, otherwise] {
                        dim.atoms(see);
                    }
                }
            }
        }
    }

    /// The names of the hyper-parameters in it.
    pub fn hypers(&self, into: &mut Vec<String>) {
        self.atoms(&mut |atom| match atom {
            Atom::Hyper(name) if !into.contains(name) => into.push(name.clone()),
            _ => {}
        });
    }

    /// The dimensions in it that are known only when the tensor arrives.
    pub fn anys(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        self.atoms(&mut |atom| {
            if let Atom::Any(name) = atom {
                names.insert(name.clone());
            }
        });
        names
    }

    /// Whether the index `name` is in it.
    pub fn names_index(&self, name: &str) -> bool {
        let mut found = false;
        self.atoms(&mut |atom| found |= matches!(atom, Atom::Index(index, _) if index == name));
        found
    }

    /// The value when every hyper-parameter has the value that `known` gives.
    pub fn eval(&self, known: &dyn Fn(&str) -> Option<i128>) -> Option<i128> {
        let mut sum = 0i128;
        for (monomial, coefficient) in self.0.as_ref()? {
            let mut term = *coefficient;
            for atom in monomial {
                let value = match atom {
                    Atom::Hyper(name) | Atom::Any(name) | Atom::Index(name, _) => known(name)?,
                    Atom::Choice(choice) => {
                        let (left, right) = (choice.left.eval(known)?, choice.right.eval(known)?);
                        choice.side(choice.compare.holds(left, right)).eval(known)?
                    }
                    Atom::Smaller(a, b) => a.eval(known)?.min(b.eval(known)?),
                    Atom::Quotient(a, b) => a.eval(known)?.checked_div_euclid(b.eval(known)?)?,
                };
                term = term.checked_mul(value)?;
            }
            sum = sum.checked_add(term)?;
        }
        Some(sum)
    }

    /// Tokens of type `i128`, with hyper-parameters read from `self`. The arithmetic saturates:
    /// what is absurd stays absurd and is refused by a check, it never wraps or panics.
    pub fn tokens(&self) -> TokenStream {
        let Some(terms) = &self.0 else {
            return quote!(0i128);
        };
        if let Some(number) = self.number() {
            return literal(number);
        }
        let mut terms = terms.iter().map(|(monomial, coefficient)| {
            let factors = monomial.iter().map(|atom| match atom {
                Atom::Hyper(name) => {
                    // Of the user's own, and perhaps raw.
                    let name = format_ident!("{name}", span = Span::call_site());
                    quote!((self.#name as ::core::primitive::i128))
                }
                Atom::Any(name) | Atom::Index(name, _) => {
                    let name = syntax::local(name);
                    quote!(#name)
                }
                Atom::Smaller(a, b) => {
                    let (a, b) = (a.tokens(), b.tokens());
                    quote!(::core::cmp::Ord::min(#a, #b))
                }
                Atom::Choice(choice) => {
                    let op = choice.compare.tokens();
                    let (left, right) = (choice.left.tokens(), choice.right.tokens());
                    let (then, otherwise) = (choice.then.tokens(), choice.otherwise.tokens());
                    quote!((if #left #op #right { #then } else { #otherwise }))
                }
                Atom::Quotient(a, b) => {
                    let (a, b) = (a.tokens(), b.tokens());
                    quote!(::kiln::__private::floor_div(#a, #b))
                }
            });
            let coefficient =
                (*coefficient != 1 || monomial.is_empty()).then(|| literal(*coefficient));
            let mut factors = coefficient.into_iter().chain(factors);
            let first = factors.next().unwrap_or_else(|| quote!(1i128));
            factors.fold(
                first,
                |product, factor| quote!(#product.saturating_mul(#factor)),
            )
        });
        let first = terms.next().unwrap_or_else(|| quote!(0i128));
        terms.fold(first, |sum, term| quote!(#sum.saturating_add(#term)))
    }

    /// Tokens of type `usize`; valid where the dimension was checked.
    pub fn usize_tokens(&self) -> TokenStream {
        match self.number() {
            Some(number) => {
                let number = proc_macro2::Literal::u64_unsuffixed(number.try_into().unwrap_or(0));
                quote!(#number)
            }
            None => {
                let tokens = self.tokens();
                quote!(((#tokens) as ::core::primitive::usize))
            }
        }
    }
}

/// A number that methods can be called on: `-3.max(0)` would be `-(3.max(0))`.
fn literal(number: i128) -> TokenStream {
    if number < 0 {
        quote!((#number))
    } else {
        quote!(#number)
    }
}

impl Choice {
    fn dim(self) -> Dim {
        let Choice {
            compare,
            left,
            right,
            then,
            otherwise,
        } = &self;
        let (more, less) = (left.sub(right), right.sub(left));
        let above = |dim: &Dim, low: i128| dim.lower_bound().is_some_and(|bound| bound >= low);
        let holds = match compare {
            Compare::Equal if more.number() == Some(0) => Some(true),
            Compare::Equal if above(&more, 1) || above(&less, 1) => Some(false),
            Compare::Less if above(&less, 1) => Some(true),
            Compare::Less if above(&more, 0) => Some(false),
            _ => (then == otherwise).then_some(true),
        };
        match holds {
            Some(holds) => self.side(holds).clone(),
            None if [left, right, then, otherwise]
                .into_iter()
                .any(Dim::is_unknown) =>
            {
                Dim::UNKNOWN
            }
            None => Dim::atom(Atom::Choice(Box::new(self))),
        }
    }

    fn side(&self, holds: bool) -> &Dim {
        if holds { &self.then } else { &self.otherwise }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(terms) = &self.0 else {
            return f.write_str("?");
        };
        if terms.is_empty() {
            return f.write_str("0");
        }
        // The constant comes last, as one writes it.
        let (constant, rest): (Vec<_>, Vec<_>) = terms.iter().partition(|(m, _)| m.is_empty());
        for (i, (monomial, coefficient)) in rest.into_iter().chain(constant).enumerate() {
            match (i, *coefficient < 0) {
                (0, true) => f.write_str("-")?,
                (0, false) => {}
                (_, true) => f.write_str(" - ")?,
                (_, false) => f.write_str(" + ")?,
            }
            let size = coefficient.unsigned_abs();
            if size != 1 || monomial.is_empty() {
                write!(f, "{size}{}", if monomial.is_empty() { "" } else { " * " })?;
            }
            for (i, atom) in monomial.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { " * " })?;
                match atom {
                    Atom::Hyper(name) | Atom::Any(name) | Atom::Index(name, _) => {
                        f.write_str(name)?;
                    }
                    Atom::Smaller(a, b) => write!(f, "min({a}, {b})")?,
                    Atom::Quotient(a, b) if b.number().is_some() && monomial.len() == 1 => {
                        write!(f, "({a}) / {b}")?;
                    }
                    Atom::Quotient(a, b) => write!(f, "(({a}) / ({b}))")?,
                    Atom::Choice(choice) => {
                        let Choice {
                            compare,
                            left,
                            right,
                            then,
                            otherwise,
                        } = &**choice;
                        let op = compare.tokens();
                        write!(
                            f,
                            "(if {left} {op} {right} {{ {then} }} else {{ {otherwise} }})"
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The shape of one example; the batch dimension is implied. `None` where an earlier mistake left
/// even the rank open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(pub Option<Vec<Dim>>);

impl Shape {
    pub const UNKNOWN: Shape = Shape(None);

    pub fn of(dims: Vec<Dim>) -> Shape {
        Shape(Some(dims))
    }

    /// `[Size::Fixed(16), Size::Any("length")]`
    pub fn size_tokens(&self) -> TokenStream {
        let dims = self
            .0
            .iter()
            .flatten()
            .map(|dim| match dim.anys().is_empty() {
                true => {
                    let size = dim.usize_tokens();
                    quote!(::kiln::model::Size::Fixed(#size))
                }
                false => {
                    let text = dim.to_string();
                    quote!(::kiln::model::Size::Any(#text))
                }
            });
        quote!([#(#dims),*])
    }

    /// The rank of the tensor that carries a batch of it.
    pub fn rank(&self) -> Option<usize> {
        self.0.as_ref().map(|dims| dims.len() + 1)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(dims) = &self.0 else {
            return f.write_str("[?]");
        };
        let dims: Vec<_> = dims.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(name: &str) -> Dim {
        Dim::atom(Atom::Hyper(name.into()))
    }

    #[test]
    fn equal_expressions_have_one_form() {
        let a = n("c").add(&n("c")).mul(&n("d").add(&Dim::of(1)));
        let b = Dim::of(2)
            .mul(&n("d"))
            .mul(&n("c"))
            .add(&n("c").mul(&Dim::of(2)));
        assert_eq!(a, b);
        assert_eq!(a.sub(&b).number(), Some(0));
        assert_eq!(a.to_string(), "2 * c + 2 * c * d");
    }

    #[test]
    fn evaluation_follows_the_arithmetic() {
        let known = |name: &str| Some(if name == "c" { 7 } else { 3 });
        let dim = n("c").mul(&n("d")).sub(&Dim::of(1)).floor_div(&Dim::of(4));
        assert_eq!(dim.eval(&known), Some(5));
        assert_eq!(dim.to_string(), "(c * d - 1) / 4");
    }

    #[test]
    fn the_smaller_and_the_larger_are_told_apart_or_left_open() {
        let (c, more) = (n("c"), n("c").add(&Dim::of(2)));
        assert_eq!(
            (c.smaller(&more), c.larger(&more)),
            (c.clone(), more.clone())
        );
        assert_eq!((more.smaller(&c), more.larger(&c)), (c.clone(), more));
        let known = |name: &str| Some(if name == "c" { 7 } else { 3 });
        assert_eq!(c.smaller(&n("d")).eval(&known), Some(3));
        assert_eq!(c.larger(&n("d")).eval(&known), Some(7));
        assert!(c.smaller(&Dim::UNKNOWN).is_unknown());
    }

    #[test]
    fn what_overflows_is_unknown_and_never_panics() {
        let huge = Dim::of(i128::MAX);
        assert!(huge.add(&Dim::of(1)).is_unknown());
        assert!(huge.mul(&huge).is_unknown());
        assert!(Dim::of(1).floor_div(&Dim::of(0)).is_unknown());
    }
}
