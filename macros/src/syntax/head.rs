//! The head of a declaration: `pub struct Name { hyper: type = default, }`, and the
//! configuration that comes of it.

use std::cell::Cell;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::parse::ParseStream;
use syn::{Attribute, Token, Visibility};

use super::{Expr, Number};
use crate::report::{Pos, Report};
use crate::suggest;

/// Name and hyper-parameters of a declaration.
pub struct Head {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub name: Ident,
    pub hypers: Vec<Hyper>,
    /// The names of hyper-parameters that could not be read, so that their uses are no mistakes.
    pub unread: Vec<Ident>,
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
        let ty = match ty.to_string().as_str() {
            "usize" => HyperType::Int,
            "f64" => HyperType::Float,
            "bool" => HyperType::Bool,
            other => {
                let meant = if other.starts_with('f') {
                    HyperType::Float
                } else {
                    HyperType::Int
                };
                let message = format!(
                    "a hyper-parameter is `usize`, `f64` or `bool`, found `{other}`; \
                     write `{name}: {}`",
                    meant.name(),
                );
                report.error(&ty, message);
                meant
            }
        };
        let default = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(Expr::parse(input)?)
        } else {
            None
        };
        Ok(Hyper {
            attrs,
            name,
            ty,
            default,
            used: Cell::new(false),
        })
    }

    /// The name of the hyper-parameter that stands here, however broken the rest of it is.
    fn name(input: ParseStream) -> syn::Result<Ident> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse()
    }

    /// The value of the default, if it is one of the hyper-parameter's type.
    fn number(&self) -> Option<Number> {
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
    /// The head; a broken hyper-parameter is reported and left out.
    pub fn parse(input: ParseStream, report: &Report) -> syn::Result<Head> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !input.peek(Token![struct]) {
            return Err(input.error("a declaration begins with its type: `pub struct Name { .. }`"));
        }
        input.parse::<Token![struct]>()?;
        let name: Ident = input.parse()?;
        let mut head = Head {
            attrs,
            vis,
            name,
            hypers: Vec::new(),
            unread: Vec::new(),
        };
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

    fn add(&mut self, hyper: Hyper, report: &Report) {
        if self.hyper(&hyper.name).is_some() {
            let message = format!("the hyper-parameter `{}` is declared twice", hyper.name);
            report.error(&hyper.name, message);
            return;
        }
        if let Some(default) = &hyper.default {
            let literals = Head {
                attrs: Vec::new(),
                vis: Visibility::Inherited,
                name: self.name.clone(),
                hypers: Vec::new(),
                unread: Vec::new(),
            };
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

/// How a configuration struct is written.
pub struct Config<'a> {
    pub head: &'a Head,
    /// The name of the struct.
    pub name: &'a Ident,
    /// Attributes of the struct, its documentation for one.
    pub attrs: &'a [Attribute],
}

impl Config<'_> {
    /// The struct, `new`, the `with_*` setters, serde, `Display` and Burn's `Config`.
    ///
    /// Written out here rather than derived by Burn: its derive names `burn` and the prelude
    /// without a path, so it fails in a crate that does not depend on `burn` or that has a
    /// `Result` of its own.
    pub fn expand(&self) -> TokenStream {
        let Config { head, name, attrs } = self;
        let vis = &head.vis;
        let mut fields = TokenStream::new();
        let mut stored = TokenStream::new();
        let mut setters = TokenStream::new();
        let mut arguments = Vec::new();
        let mut values = Vec::new();
        let mut required = Vec::new();
        let mut functions = TokenStream::new();
        for hyper in &head.hypers {
            let Hyper {
                attrs,
                name: field,
                default,
                ..
            } = hyper;
            let (serde, docs): (Vec<_>, Vec<_>) =
                attrs.iter().partition(|attr| attr.path().is_ident("serde"));
            let ty = hyper.type_tokens();
            let text = field.to_string();
            let undocumented = docs.is_empty().then(|| {
                let line = format!("The hyper-parameter `{text}`.");
                quote!(#[doc = #line])
            });
            fields.extend(quote!(#(#docs)* #undocumented pub #field: #ty,));
            let Some(default) = default else {
                stored.extend(quote!(#(#serde)* #field: #ty,));
                arguments.push(quote!(#field: #ty));
                required.push(text);
                values.push(quote!(#field));
                continue;
            };
            let value = hyper.value_tokens(default);
            let function = format_ident!("__default_{}", field);
            let path = format!("{name}::{function}");
            stored.extend(quote!(#(#serde)* #[serde(default = #path)] #field: #ty,));
            functions.extend(quote!(fn #function() -> #ty { #value }));
            values.push(quote!(#field: Self::#function()));
            let setter = format_ident!("with_{}", field);
            let line = format!("Sets [`{text}`](Self::{text}); the default is `{value}`.");
            setters.extend(quote! {
                #[doc = #line]
                #[must_use]
                pub fn #setter(mut self, #field: #ty) -> Self {
                    self.#field = #field;
                    self
                }
            });
        }
        let default = arguments.is_empty().then(|| {
            quote! {
                impl ::core::default::Default for #name {
                    fn default() -> Self { Self::new() }
                }
            }
        });
        let line = match required.as_slice() {
            [] => "The declaration's own defaults.".to_owned(),
            names => format!("The declaration's own defaults, and {}.", {
                let names: Vec<_> = names.iter().map(String::as_str).collect();
                suggest::list(&names)
            }),
        };
        let serde = self.serde(&stored);
        quote! {
            #(#attrs)*
            #[derive(
                ::core::clone::Clone,
                ::core::fmt::Debug,
                ::core::cmp::PartialEq,
            )]
            #vis struct #name { #fields }

            impl #name {
                #[doc = #line]
                #[allow(clippy::too_many_arguments, clippy::new_without_default)]
                pub fn new(#(#arguments),*) -> Self {
                    Self { #(#values),* }
                }
                #setters
                #functions
            }

            #default

            #serde

            impl ::kiln::__private::burn::config::Config for #name {}

            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(&::kiln::__private::burn::config::config_to_json(self))
                }
            }
        }
    }
}

impl Config<'_> {
    /// `Serialize` and `Deserialize`, by way of a twin of the struct: what serde derives looks
    /// `usize`, `u64` and their like up in scope, so it stands where they are what they should be.
    fn serde(&self, stored: &TokenStream) -> TokenStream {
        let name = self.name;
        let text = name.to_string();
        let expecting = format!("struct {text}");
        let fields: Vec<_> = self.head.hypers.iter().map(|hyper| &hyper.name).collect();
        quote! {
            const _: () = {
                #[allow(unused_imports)]
                use ::core::primitive::{bool, char, f64, i64, str, u8, u64, usize};
                use ::kiln::__private::serde as __serde;

                #[derive(__serde::Serialize, __serde::Deserialize)]
                #[serde(
                    crate = "::kiln::__private::serde",
                    rename = #text,
                    expecting = #expecting,
                    deny_unknown_fields
                )]
                struct __Stored { #stored }

                impl __serde::Serialize for #name {
                    fn serialize<S: __serde::Serializer>(
                        &self,
                        serializer: S,
                    ) -> ::core::result::Result<S::Ok, S::Error> {
                        let stored = __Stored { #(#fields: self.#fields),* };
                        __serde::Serialize::serialize(&stored, serializer)
                    }
                }

                impl<'de> __serde::Deserialize<'de> for #name {
                    fn deserialize<D: __serde::Deserializer<'de>>(
                        deserializer: D,
                    ) -> ::core::result::Result<Self, D::Error> {
                        let stored: __Stored = __serde::Deserialize::deserialize(deserializer)?;
                        ::core::result::Result::Ok(Self { #(#fields: stored.#fields),* })
                    }
                }
            };
        }
    }
}

impl Hyper {
    fn type_tokens(&self) -> TokenStream {
        match self.ty {
            HyperType::Int => quote!(::core::primitive::usize),
            HyperType::Float => quote!(::core::primitive::f64),
            HyperType::Bool => quote!(::core::primitive::bool),
        }
    }

    fn value_tokens(&self, default: &Expr) -> TokenStream {
        if let super::expr::Node::Bool(value) = default.node {
            return quote!(#value);
        }
        match (self.ty, self.number()) {
            (HyperType::Int, Some(Number::Int(value))) => {
                // What does not fit was reported when the head was read.
                let value = proc_macro2::Literal::u64_unsuffixed(value.try_into().unwrap_or(0));
                quote!(#value)
            }
            (HyperType::Float, Some(value)) => {
                let value = value.float();
                let value = if value.is_finite() {
                    value.abs().copysign(value)
                } else {
                    0.0
                };
                let negative = value < 0.0;
                let value = proc_macro2::Literal::f64_unsuffixed(value.abs());
                if negative {
                    quote!(-#value)
                } else {
                    quote!(#value)
                }
            }
            (HyperType::Bool, _) => quote!(false),
            _ => quote!(0),
        }
    }
}

impl From<&Head> for Pos {
    fn from(head: &Head) -> Self {
        (&head.name).into()
    }
}
