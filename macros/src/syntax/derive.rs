//! A struct of the user's as a declaration: its fields are the hyper-parameters, the body stands in
//! an attribute.

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Meta, Token, Type};

use super::head::Hyper;
use super::{Expr, Head, HyperType};
use crate::report::Report;
use crate::suggest;

/// What is derived.
pub struct Derive {
    /// The trait: `Optimizer`.
    pub of: &'static str,
    /// The attribute that holds the body: `optimizer`.
    pub attribute: &'static str,
    /// A body, for messages.
    pub body: &'static str,
}

impl Derive {
    /// The head of `input`, and the body; `None` where nothing can be made of it. Where something
    /// was reported the body may be missing.
    pub fn parse(&self, input: DeriveInput, report: &Report) -> Option<(Head, TokenStream)> {
        let Derive {
            of,
            attribute,
            body,
        } = self;
        let name = &input.ident;
        if !input.generics.params.is_empty() {
            let message = "a declaration takes no generics or lifetimes; leave these out";
            report.syn(syn::Error::new_spanned(&input.generics.params, message));
            return None;
        }
        let fields = match input.data {
            Data::Struct(data) => match data.fields {
                Fields::Named(fields) => fields.named,
                Fields::Unit => Default::default(),
                Fields::Unnamed(fields) => {
                    let message = format!(
                        "`#[derive({of})]` needs a struct with named fields: they are the \
                         hyper-parameters",
                    );
                    report.syn(syn::Error::new_spanned(fields, message));
                    return None;
                }
            },
            _ => {
                let message =
                    format!("`#[derive({of})]` needs a struct whose fields are hyper-parameters");
                report.error(name, message);
                return None;
            }
        };
        let mut attrs = input
            .attrs
            .iter()
            .filter(|attr| attr.path().is_ident(attribute));
        let found = attrs.next();
        if let Some(second) = attrs.next() {
            let message = format!("this is the second `#[{attribute}(..)]`; keep one");
            report.syn(syn::Error::new_spanned(second, message));
        }
        let tokens = match found.map(|attr| &attr.meta) {
            Some(Meta::List(list)) => list.tokens.clone(),
            other => {
                let message = format!("`{name}` needs its body: `#[{attribute}({body})]`");
                match other {
                    Some(attr) => report.syn(syn::Error::new_spanned(attr, message)),
                    None => report.error(name, message),
                }
                TokenStream::new()
            }
        };
        let mut head = Head::of(Vec::new(), input.vis, name.clone());
        head.derived = true;
        for field in fields {
            let name = field.ident.clone();
            match self.hyper(field, report) {
                Some(hyper) => head.add(hyper, report),
                None => head.unread.extend(name),
            }
        }
        // Without a field nothing of the struct's can be written.
        head.unread.is_empty().then_some((head, tokens))
    }

    fn hyper(&self, field: Field, report: &Report) -> Option<Hyper> {
        let Field {
            attrs, ident, ty, ..
        } = field;
        let name = ident?;
        let known = match &ty {
            Type::Path(path) => path.path.get_ident().and_then(HyperType::named),
            _ => None,
        };
        let Some(known) = known else {
            let found = quote::quote!(#ty).to_string();
            let meant = if found.starts_with('f') {
                "f64"
            } else {
                "usize"
            };
            let message = format!(
                "a hyper-parameter is `usize`, `f64` or `bool`, found `{found}`; write `{name}: {meant}`",
            );
            report.syn(syn::Error::new_spanned(&ty, message));
            return None;
        };
        let mut default = None;
        for attr in attrs
            .iter()
            .filter(|attr| attr.path().is_ident(self.attribute))
        {
            match attr.parse_args_with(|input: ParseStream| self.default(input)) {
                Ok(value) if default.is_none() => default = Some(value),
                Ok(_) => {
                    let message = format!("`{name}` has a default already");
                    report.syn(syn::Error::new_spanned(attr, message));
                }
                Err(error) => report.syn(error),
            }
        }
        let kept = |attr: &Attribute| attr.path().is_ident("serde");
        let attrs = attrs.into_iter().filter(kept).collect();
        Some(Hyper::new(attrs, name, known, default))
    }

    /// `default = 0.9`
    fn default(&self, input: ParseStream) -> syn::Result<Expr> {
        let attribute = self.attribute;
        let key: Ident = input.parse()?;
        if key != "default" {
            let hint = suggest::hint(&key.to_string(), "it has", ["default"]);
            let message = format!("a field's `#[{attribute}(..)]` has no `{key}`{hint}");
            return Err(syn::Error::new(key.span(), message));
        }
        input.parse::<Token![=]>()?;
        let value = Expr::parse(input)?;
        if input.is_empty() {
            Ok(value)
        } else {
            Err(input.error("expected nothing more here"))
        }
    }
}
