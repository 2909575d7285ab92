//! Requirements: one statement of a rule, decided while compiling where the numbers are known,
//! and left to `init` where a hyper-parameter decides.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::Lifetime;

use super::dim::{Dim, Shape};
use crate::report::{Pos, Report};
use crate::syntax::{Expr, Head, Number, local};

/// The largest size that any dimension may have; beyond it indices leave 32 bits and no memory
/// holds the tensor.
pub const LARGEST: i128 = i32::MAX as i128;

/// What must hold.
pub enum Condition {
    /// `low <= dim <= high`
    Within(Dim, i128, i128),
    Equal(Dim, Dim),
    /// The first is a multiple of the second.
    Multiple(Dim, Dim),
    /// A real number in a range.
    Real(Expr, Range),
}

/// A range of real numbers.
#[derive(Clone, Copy)]
pub enum Range {
    /// `[0, 1)`
    Share,
    /// `[0, 1]`
    Unit,
    /// above 0
    Positive,
    /// at least 0
    NotNegative,
    /// `[-1, 1]`
    Cosine,
    Finite,
}

/// A piece of a message.
#[derive(Clone, Debug)]
pub enum Part {
    Text(String),
    Dim(Dim),
}

/// A requirement that is decided at run time.
pub struct Check {
    condition: Condition,
    layer: String,
    message: Vec<Part>,
    /// It is asked for each index of these.
    loops: Vec<Loop>,
}

/// The repetitions that one piece of code stands for: `from <= name < to`.
#[derive(Clone, Debug)]
pub struct Loop {
    pub name: Ident,
    pub from: Dim,
    pub to: Dim,
}

/// The requirements of a declaration.
pub struct Checks<'a> {
    pub head: &'a Head,
    pub report: &'a Report,
    /// The repetitions around what is being checked.
    pub loops: Vec<Loop>,
    /// What `init` decides.
    pub left: Vec<Check>,
    /// What only the tensors decide that arrive: `forward` asks it.
    pub late: Vec<Check>,
}

impl Checks<'_> {
    /// The dimension that an expression of whole numbers stands for; reported if there is none.
    pub fn dim(&mut self, expr: &Expr) -> Dim {
        for divisor in expr.divisors() {
            let divisor = Dim::from_expr(divisor, self.head);
            if divisor.number().is_none() {
                let message = message!["what is divided by is at least 1, found ", &divisor];
                let condition = Condition::Within(divisor, 1, LARGEST);
                self.require(condition, expr.pos, "", message);
            }
        }
        let dim = Dim::from_expr(expr, self.head);
        if dim.is_unknown() {
            let message = "this has no value: it divides by zero, or grows beyond every bound";
            self.report.error(expr.pos, message);
        }
        dim
    }

    /// Demands `condition` of `layer`: reports `message` at `pos` if it fails, or if it fails with
    /// the defaults; leaves it to `init` if the hyper-parameters decide. Says whether nothing was
    /// reported.
    pub fn require(
        &mut self,
        condition: Condition,
        pos: Pos,
        layer: &str,
        message: Vec<Part>,
    ) -> bool {
        match condition.holds(&|_| None) {
            Some(true) => {}
            Some(false) => {
                self.report
                    .error(pos, self.shown(&condition, &message, &|_| None));
                return false;
            }
            None if condition.is_unknown() => {}
            None if condition.is_late() => {
                let check = Check {
                    condition,
                    layer: layer.into(),
                    message,
                    loops: Vec::new(),
                };
                self.late.push(check);
            }
            None => {
                let head = self.head;
                let default = |name: &str| {
                    let hyper = head.hypers.iter().find(|hyper| hyper.name == name)?;
                    head.default_of(&hyper.name)
                };
                let loops = self.loops_of(&condition);
                let mut indices = Vec::new();
                if condition.fails(&loops, &default, &mut indices) {
                    let mut names = Vec::new();
                    condition.hypers(&mut names);
                    for Loop { from, to, .. } in &loops {
                        from.hypers(&mut names);
                        to.hypers(&mut names);
                    }
                    let known = |name: &str| index(&indices, name).or_else(|| default(name));
                    let mut message = self.shown(&condition, &message, &known);
                    let defaults = self.head.defaults_shown(&names);
                    if !defaults.is_empty() {
                        message = format!("with the defaults ({defaults}), {message}");
                    }
                    self.report.error(pos, message);
                    return false;
                }
                self.left.push(Check {
                    condition,
                    layer: layer.into(),
                    message,
                    loops,
                });
            }
        }
        true
    }

    /// The repetitions whose index the condition names, or the bounds of those inside.
    fn loops_of(&self, condition: &Condition) -> Vec<Loop> {
        let mut loops: Vec<Loop> = Vec::new();
        for around in self.loops.iter().rev() {
            let name = around.name.to_string();
            let bounds = |inner: &Loop| [&inner.from, &inner.to].map(|dim| dim.names_index(&name));
            if condition.names_index(&name) || loops.iter().any(|l| bounds(l).contains(&true)) {
                loops.insert(0, around.clone());
            }
        }
        loops
    }

    fn shown(
        &self,
        condition: &Condition,
        message: &[Part],
        known: &dyn Fn(&str) -> Option<Number>,
    ) -> String {
        let whole = whole(known);
        let parts = message.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Dim(dim) => match dim.eval(&whole) {
                Some(value) => value.to_string(),
                None => dim.to_string(),
            },
        });
        let mut message: String = parts.collect();
        // What a real number was is not in the parts: they are dimensions.
        if let Condition::Real(expr, _) = condition
            && let Some(value) = expr.eval_float(&|name| Some(known(&name.to_string())?.float()))
        {
            message.push_str(&format!(", found {value}"));
        }
        message
    }
}

/// The value of an index among those that are set.
fn index(indices: &[(String, i128)], name: &str) -> Option<Number> {
    let found = indices.iter().rfind(|(index, _)| index == name);
    found.map(|(_, value)| Number::Int(*value))
}

/// The whole numbers among `known`.
fn whole<'a>(known: &'a dyn Fn(&str) -> Option<Number>) -> impl Fn(&str) -> Option<i128> + 'a {
    |name| match known(name)? {
        Number::Int(value) => Some(value),
        Number::Float(_) => None,
    }
}

impl Condition {
    /// Whether it holds for the hyper-parameters' values that are `known`.
    fn holds(&self, known: &dyn Fn(&str) -> Option<Number>) -> Option<bool> {
        let eval = |dim: &Dim| dim.eval(&whole(known));
        match self {
            Condition::Within(dim, low, high) => match eval(dim) {
                Some(value) => Some((*low..=*high).contains(&value)),
                // Nothing bounds a hyper-parameter from above, so only the lower end can be proven;
                // a tensor that arrives is no larger than memory.
                None if *high == i128::MAX || !dim.anys().is_empty() => {
                    (dim.lower_bound()? >= *low).then_some(true)
                }
                None => None,
            },
            Condition::Equal(a, b) => match a.sub(b).number() {
                Some(difference) => Some(difference == 0),
                None => Some(eval(a)? == eval(b)?),
            },
            Condition::Multiple(a, b) => match (eval(a), eval(b)) {
                (Some(a), Some(b)) => Some(b != 0 && a % b == 0),
                _ => (a == b && !a.is_unknown()).then_some(true),
            },
            Condition::Real(expr, range) => {
                let value = expr.eval_float(&|name| Some(known(&name.to_string())?.float()))?;
                Some(range.contains(value))
            }
        }
    }

    fn is_unknown(&self) -> bool {
        match self {
            Condition::Within(dim, ..) => dim.is_unknown(),
            Condition::Equal(a, b) | Condition::Multiple(a, b) => a.is_unknown() || b.is_unknown(),
            Condition::Real(..) => false,
        }
    }

    /// Whether it fails for some repetition, which `indices` then holds.
    fn fails(
        &self,
        loops: &[Loop],
        known: &dyn Fn(&str) -> Option<Number>,
        indices: &mut Vec<(String, i128)>,
    ) -> bool {
        /// Repetitions that are looked at while compiling; `init` looks at all.
        const LOOKED_AT: i128 = 64;
        let set = indices.clone();
        let known = |name: &str| index(&set, name).or_else(|| known(name));
        let Some((first, rest)) = loops.split_first() else {
            return self.holds(&known) == Some(false);
        };
        let bounds = (
            first.from.eval(&whole(&known)),
            first.to.eval(&whole(&known)),
        );
        let (Some(from), Some(to)) = bounds else {
            return false;
        };
        for value in from..to.min(from.saturating_add(LOOKED_AT)) {
            indices.push((first.name.to_string(), value));
            if self.fails(rest, &known, indices) {
                return true;
            }
            indices.pop();
        }
        false
    }

    /// Whether only the tensor that arrives decides it.
    fn is_late(&self) -> bool {
        let dims = match self {
            Condition::Within(dim, ..) => [Some(dim), None],
            Condition::Equal(a, b) | Condition::Multiple(a, b) => [Some(a), Some(b)],
            Condition::Real(..) => [None, None],
        };
        dims.into_iter().flatten().any(|dim| !dim.anys().is_empty())
    }

    fn names_index(&self, name: &str) -> bool {
        match self {
            Condition::Within(dim, ..) => dim.names_index(name),
            Condition::Equal(a, b) | Condition::Multiple(a, b) => {
                a.names_index(name) || b.names_index(name)
            }
            Condition::Real(expr, _) => expr.names().iter().any(|found| found == name),
        }
    }

    fn hypers(&self, into: &mut Vec<String>) {
        match self {
            Condition::Within(dim, ..) => dim.hypers(into),
            Condition::Equal(a, b) | Condition::Multiple(a, b) => {
                a.hypers(into);
                b.hypers(into);
            }
            Condition::Real(expr, _) => {
                for name in expr.names() {
                    if !into.contains(&name) {
                        into.push(name);
                    }
                }
            }
        }
    }

    fn tokens(&self, head: &Head) -> TokenStream {
        match self {
            Condition::Within(dim, low, high) => {
                let dim = dim.tokens();
                quote!((#low..=#high).contains(&#dim))
            }
            Condition::Equal(a, b) => {
                let (a, b) = (a.tokens(), b.tokens());
                quote!(#a == #b)
            }
            Condition::Multiple(a, b) => {
                let (a, b) = (a.tokens(), b.tokens());
                quote!(::kiln::__private::is_multiple(#a, #b))
            }
            Condition::Real(expr, range) => {
                let value = expr.float_tokens(head, &quote!(self));
                match range {
                    Range::Share => quote!((0.0..1.0f64).contains(&#value)),
                    Range::Unit => quote!((0.0..=1.0f64).contains(&#value)),
                    Range::Positive => quote!(::kiln::__private::is_positive(#value)),
                    Range::NotNegative => quote!(::kiln::__private::is_finite(#value, 0.0)),
                    Range::Cosine => quote!((-1.0..=1.0f64).contains(&#value)),
                    Range::Finite => {
                        quote!(::kiln::__private::is_finite(#value, ::core::primitive::f64::MIN))
                    }
                }
            }
        }
    }
}

impl Range {
    fn contains(self, value: f64) -> bool {
        match self {
            Range::Share => (0.0..1.0).contains(&value),
            Range::Unit => (0.0..=1.0).contains(&value),
            Range::Positive => value as f32 > 0.0 && (value as f32).is_finite(),
            Range::NotNegative => value >= 0.0 && (value as f32).is_finite(),
            Range::Cosine => (-1.0..=1.0).contains(&value),
            Range::Finite => (value as f32).is_finite(),
        }
    }

    pub fn described(self) -> &'static str {
        match self {
            Range::Share => "at least 0 and below 1",
            Range::Unit => "between 0 and 1",
            Range::Positive => "above 0",
            Range::NotNegative => "at least 0",
            Range::Cosine => "between -1 and 1",
            Range::Finite => "finite",
        }
    }
}

impl Check {
    /// `problems.require(condition, layer, || message)`, for every repetition.
    pub fn tokens(&self, head: &Head) -> TokenStream {
        let condition = self.condition.tokens(head);
        let layer = &self.layer;
        let mut format = String::new();
        let mut values = Vec::new();
        for part in &self.message {
            match part {
                Part::Text(text) => format.push_str(&text.replace('{', "{{").replace('}', "}}")),
                Part::Dim(dim) => {
                    format.push_str("{}");
                    values.push(dim.tokens());
                }
            }
        }
        // What a real number was is not in the parts: they are dimensions.
        if let Condition::Real(expr, _) = &self.condition {
            format.push_str(", found {}");
            values.push(expr.float_tokens(head, &quote!(self)));
        }
        let required = quote! {
            problems.require(#condition, #layer, || ::std::format!(#format, #(#values),*))
        };
        if self.loops.is_empty() {
            return quote!(#required;);
        }
        // What is wrong in one repetition is not said of each.
        let all = Lifetime::new("'all", Span::mixed_site());
        let body = quote!(if !#required { break #all; });
        let (first, inner) = (&self.loops[0], self.loops[1..].iter().rev());
        let body = inner.fold(body, |body, inner| inner.tokens(&body));
        let loops = first.tokens(&body);
        quote!(#all: #loops)
    }
}

impl Loop {
    /// `body` for each index.
    pub fn tokens(&self, body: &TokenStream) -> TokenStream {
        let name = local(&self.name.to_string());
        let (from, to) = (self.from.tokens(), self.to.tokens());
        quote!(for #name in #from..#to { #body })
    }
}

impl From<&str> for Part {
    fn from(text: &str) -> Part {
        Part::Text(text.into())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Part {
        Part::Text(text)
    }
}

impl From<&Dim> for Part {
    fn from(dim: &Dim) -> Part {
        Part::Dim(dim.clone())
    }
}

/// The pieces of a shape: `[16, 28, 28]`.
pub fn shape_parts(shape: &Shape) -> Vec<Part> {
    let Some(dims) = &shape.0 else {
        return vec!["[?]".into()];
    };
    let mut parts = vec![Part::from("[")];
    for (i, dim) in dims.iter().enumerate() {
        if i > 0 {
            parts.push(", ".into());
        }
        parts.push(dim.into());
    }
    parts.push("]".into());
    parts
}

/// A message of texts, dimensions and shapes: `message!["found ", &dim]`.
macro_rules! message {
    ($($part:expr),* $(,)?) => { vec![$($crate::model::require::Part::from($part)),*] };
}
pub(crate) use message;
