//! The structs: the model, and one for each body of a `repeat`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::Writer;
use crate::model::ir::{Block, FieldKind};

impl Writer<'_> {
    pub(super) fn structs(&self) -> TokenStream {
        let blocks = if self.outline {
            &self.network.blocks[..1]
        } else {
            &self.network.blocks
        };
        blocks
            .iter()
            .enumerate()
            .map(|(i, block)| self.structure(i, block))
            .collect()
    }

    fn structure(&self, index: usize, block: &Block) -> TokenStream {
        let config = self.config_name();
        let (vis, name) = (&self.network.head.vis, &block.name);
        let mut fields = TokenStream::new();
        let mut paths = TokenStream::new();
        for field in self.fields(block) {
            let ident = &field.ident;
            let ty = match &field.kind {
                FieldKind::Layer { ty, .. } => ty.clone(),
                FieldKind::Repeat(repeat) => {
                    let body = &self.network.blocks[repeat.block].name;
                    match repeat.written {
                        0 => quote!(::std::vec::Vec<#body>),
                        written => quote!(::kiln::__private::Rest<#body, #written>),
                    }
                }
            };
            let path = field.path.join(".");
            let line = if path.is_empty() {
                "The repeated layer.".into()
            } else {
                format!("`{path}`")
            };
            fields.extend(quote!(#[doc = #line] pub #ident: #ty,));
            let enter = field.path.iter();
            let exit = field.path.iter().rev();
            paths.extend(quote!(#ident: [#(#enter),*] [#(#exit),*],));
        }
        if self.network.derived {
            return self.derived(name, &paths, block);
        }
        let (attrs, config, kept) = if index == 0 {
            let attrs = &self.network.head.attrs;
            let documented = attrs.iter().any(|attr| attr.path().is_ident("doc"));
            let line = "A network declared with `model!`.";
            let doc = (!documented).then(|| quote!(#[doc = #line]));
            (
                quote!(#(#attrs)* #doc),
                Some(quote!(config: #config,)),
                quote!(config),
            )
        } else {
            let line = format!("One repetition in [`{}`].", self.network.head.name);
            (quote!(#[doc = #line]), None, quote!())
        };
        quote! {
            #attrs
            #[derive(::core::clone::Clone, ::core::fmt::Debug)]
            #vis struct #name { #fields #config }

            ::kiln::__impl_module!(#name { #paths } keep { #kept });
        }
    }

    /// What a struct of the user's own lacks.
    fn derived(&self, name: &Ident, paths: &TokenStream, block: &Block) -> TokenStream {
        if self.outline {
            return quote!(::kiln::__outline_module!(#name););
        }
        let fields: Vec<_> = block.fields.iter().map(|field| &field.ident).collect();
        quote! {
            impl ::core::clone::Clone for #name {
                fn clone(&self) -> Self {
                    Self { #(#fields: ::core::clone::Clone::clone(&self.#fields)),* }
                }
            }

            ::kiln::__impl_module!(#name { #paths } keep {});
        }
    }
}
