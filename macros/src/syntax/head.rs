//! The head of a declaration: `pub struct Name { hyper: type = default, }`.

use std::cell::{Cell, RefCell};

use proc_macro2::{Ident, Span};
use syn::parse::ParseStream;
use syn::{Attribute, Token, Visibility};

use super::{Expr, Number};
use crate::report::{Pos, Report};

/// Name and hyper-parameters of a declaration.
pub struct Head {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub name: Ident,
    /// Whether the struct is there already, and only its implementations are to be written.
    pub derived: bool,
    pub hypers: Vec<Hyper>,
    /// The names of hyper-parameters that could not be read, so that their uses are no mistakes.
    pub unread: Vec<Ident>,
    /// The names that stand for numbers beside the hyper-parameters, where they do.
    pub locals: RefCell<Vec<Local>>,
}

/// A number with a name that no hyper-parameter gives.
pub struct Local {
    pub name: Ident,
    pub kind: LocalKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalKind {
    /// A dimension that is known only when the tensor arrives.
    Any,
    /// The index of a `repeat`, and a number that it is never below.
    Index(i128),
}

impl Local {
    pub fn text(&self) -> String {
        self.name.to_string()
    }
}

/// The variable of the expansion that holds a [`Local`].
pub fn local(name: &str) -> Ident {
    let name = name.trim_start_matches("r#");
    Ident::new(&format!("__{name}"), Span::mixed_site())
}

/// A hyper-parameter: `/// doc` `name: type = default`.
pub struct Hyper {
    pub attrs: Vec<Attribute>,
    pub name: Ident,
    pub ty: HyperType,
    pub default: Option<Expr>,
    /// Whether an expression that was checked names it.
    pub used: Cell<bool>,
}

/// The types that a hyper-parameter may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HyperType {
    Int,
    Float,
    Bool,
}

impl HyperType {
    pub fn name(self) -> &'static str {
        match self {
            HyperType::Int => "usize",
            HyperType::Float => "f64",
            HyperType::Bool => "bool",
        }
    }

    /// The type of that name.
    pub fn named(name: &Ident) -> Option<HyperType> {
        [HyperType::Int, HyperType::Float, HyperType::Bool]
            .into_iter()
            .find(|ty| name == ty.name())
    }

    pub fn described(self) -> &'static str {
        match self {
            HyperType::Int => "a whole number",
            HyperType::Float => "a number",
            HyperType::Bool => "`true` or `false`",
        }
    }
}

impl Hyper {
    pub fn text(&self) -> String {
        self.name.to_string()
    }

    fn parse(input: ParseStream, report: &Report) -> syn::Result<Hyper> {
        let attrs = input.call(Attribute::parse_outer)?;
        match input.parse()? {
            Visibility::Inherited => {}
            vis => {
                let message = "hyper-parameters are public as they are: leave this out";
                report.syn(syn::Error::new_spanned(vis, message));
            }
        }
        let name: Ident = input.parse()?;
        input.parse::<Token![:]>()?;
        let ty: Ident = input.parse()?;
        let ty = HyperType::named(&ty).unwrap_or_else(|| {
            let meant = if ty.to_string().starts_with('f') {
                HyperType::Float
            } else {
                HyperType::Int
            };
            let message = format!(
                "a hyper-parameter is `usize`, `f64` or `bool`, found `{ty}`; write `{name}: {}`",
                meant.name(),
            );
            report.error(&ty, message);
            meant
        });
        let default = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(Expr::parse(input)?)
        } else {
            None
        };
        Ok(Hyper::new(attrs, name, ty, default))
    }

    pub fn new(attrs: Vec<Attribute>, name: Ident, ty: HyperType, default: Option<Expr>) -> Hyper {
        Hyper {
            attrs,
            name,
            ty,
            default,
            used: Cell::new(false),
        }
    }

    /// The name of the hyper-parameter that stands here, however broken the rest of it is.
    fn name(input: ParseStream) -> syn::Result<Ident> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse()
    }

    /// The value of the default, if it is one of the hyper-parameter's type.
    pub(super) fn number(&self) -> Option<Number> {
        let default = self.default.as_ref()?;
        match self.ty {
            HyperType::Float => default
                .real()
                .filter(|value| value.is_finite())
                .map(Number::Float),
            _ => default.literal().filter(|value| match value {
                Number::Int(value) => u64::try_from(*value).is_ok(),
                Number::Float(_) => false,
            }),
        }
    }
}

impl Head {
    /// A head without hyper-parameters.
    pub fn of(attrs: Vec<Attribute>, vis: Visibility, name: Ident) -> Head {
        Head {
            attrs,
            vis,
            name,
            derived: false,
            hypers: Vec::new(),
            unread: Vec::new(),
            locals: RefCell::default(),
        }
    }

    /// The head; a broken hyper-parameter is reported and left out.
    pub fn parse(input: ParseStream, report: &Report) -> syn::Result<Head> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !input.peek(Token![struct]) {
            return Err(input.error("a declaration begins with its type: `pub struct Name { .. }`"));
        }
        input.parse::<Token![struct]>()?;
        let name: Ident = input.parse()?;
        let mut head = Head::of(attrs, vis, name);
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            return Ok(head);
        }
        if input.peek(Token![<]) {
            let generics: syn::Generics = input.parse()?;
            let message = "a declaration takes no generics or lifetimes; leave these out";
            report.syn(syn::Error::new_spanned(generics, message));
        }
        let content;
        syn::braced!(content in input);
        while !content.is_empty() {
            let name = Hyper::name(&content.fork());
            let parsed = Hyper::parse(&content, report).and_then(|hyper| {
                if content.is_empty() || content.peek(Token![,]) {
                    Ok(hyper)
                } else {
                    Err(content.error("expected `,` between hyper-parameters"))
                }
            });
            match parsed {
                Ok(hyper) => head.add(hyper, report),
                Err(error) => {
                    report.syn(error);
                    head.unread.extend(name);
                }
            }
            super::skip_past(&content, ',');
        }
        Ok(head)
    }

    pub(super) fn add(&mut self, hyper: Hyper, report: &Report) {
        if self.hyper(&hyper.name).is_some() {
            let message = format!("the hyper-parameter `{}` is declared twice", hyper.name);
            report.error(&hyper.name, message);
            return;
        }
        if let Some(default) = &hyper.default {
            let literals = Head::of(Vec::new(), Visibility::Inherited, self.name.clone());
            if default.check(hyper.ty, &literals, report)
                && hyper.ty != HyperType::Bool
                && hyper.number().is_none()
            {
                let Hyper { name, ty, .. } = &hyper;
                let found = match default.literal() {
                    Some(Number::Int(value)) => format!("{value}"),
                    _ => "arithmetic without a finite result".to_owned(),
                };
                let range = if *ty == HyperType::Int {
                    "from 0 on"
                } else {
                    "that is finite"
                };
                let message = format!(
                    "`{name}` is of type `{}`, so its default is {} {range}, found {found}",
                    ty.name(),
                    ty.described(),
                );
                report.error(default.pos, message);
            }
        }
        self.hypers.push(hyper);
    }

    pub fn hyper(&self, name: &Ident) -> Option<&Hyper> {
        self.hypers.iter().find(|hyper| hyper.name == *name)
    }

    /// What the local name `name` stands for here.
    pub fn local(&self, name: &Ident) -> Option<LocalKind> {
        let locals = self.locals.borrow();
        let found = locals.iter().rfind(|local| local.name == *name);
        found.map(|local| local.kind)
    }

    /// Reports each hyper-parameter that nothing named, once every expression was checked. Of those
    /// whose type is not `taken` by anything in the language nothing is said: they are there for
    /// the program around it. Neither is anything said behind a mistake, which may hide a use.
    pub fn every_hyper_is_used(&self, taken: &[HyperType], report: &Report) {
        if !report.is_clean() {
            return;
        }
        let unused = |hyper: &&Hyper| !hyper.used.get() && taken.contains(&hyper.ty);
        for hyper in self.hypers.iter().filter(unused) {
            let message = format!("the hyper-parameter `{}` is never used", hyper.name);
            report.error(&hyper.name, message);
        }
    }

    /// The default of the hyper-parameter `name`.
    pub fn default_of(&self, name: &Ident) -> Option<Number> {
        self.hyper(name)?.number()
    }

    /// The defaults in words, for messages: `classes = 10, drop = 0.1`; only those in `names`.
    pub fn defaults_shown(&self, names: &[String]) -> String {
        let shown = self
            .hypers
            .iter()
            .filter(|hyper| names.contains(&hyper.text()));
        let shown = shown.filter_map(|hyper| {
            let value = match hyper.number()? {
                Number::Int(value) => value.to_string(),
                Number::Float(value) => value.to_string(),
            };
            Some(format!("{} = {value}", hyper.name))
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

impl From<&Head> for Pos {
    fn from(head: &Head) -> Self {
        (&head.name).into()
    }
}
