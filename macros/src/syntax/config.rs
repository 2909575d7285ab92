//! The configuration struct that comes of a head.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::Attribute;

use super::head::Hyper;
use super::{Expr, Head, HyperType, Node, Number};
use crate::suggest;

/// How a configuration struct is written.
pub struct Config<'a> {
    pub head: &'a Head,
    /// The name of the struct.
    pub name: &'a Ident,
    /// Attributes of the struct, its documentation for one; none where the user wrote the struct.
    pub attrs: Option<&'a [Attribute]>,
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
        let item = attrs.map(|attrs| {
            quote! {
                #(#attrs)*
                #[derive(
                    ::core::clone::Clone,
                    ::core::fmt::Debug,
                    ::core::cmp::PartialEq,
                )]
                #vis struct #name { #fields }
            }
        });
        quote! {
            #item

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
        if let Node::Bool(value) = default.node {
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
