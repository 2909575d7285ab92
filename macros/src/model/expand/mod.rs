//! Expand: the IR to Burn code. Straight-line: nothing is decided here.
//!
//! Every path is absolute, so the code compiles in any scope; the parts that are the same for
//! every model live in `kiln::__private`.

mod config;
mod dual;
mod forward;
mod rows;
mod structs;
mod traits;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use super::dim::{Dim, Shape};
use super::ir::{Block, Field, Network};
use crate::syntax::{Config, local};

/// The whole expansion.
pub fn network(network: &Network) -> TokenStream {
    Writer {
        network,
        outline: false,
    }
    .write()
}

/// The types and signatures alone, for a declaration with errors in it.
pub fn outline(network: &Network) -> TokenStream {
    Writer {
        network,
        outline: true,
    }
    .write()
}

struct Writer<'a> {
    network: &'a Network,
    outline: bool,
}

impl Writer<'_> {
    fn write(&self) -> TokenStream {
        let config_name = self.config_name();
        let name = &self.network.head.name;
        let line = format!("The hyper-parameters of [`{name}`].");
        let attr = syn::parse_quote!(#[doc = #line]);
        let config = Config {
            head: &self.network.head,
            name: &config_name,
            attrs: Some(&[attr]),
        }
        .expand();
        let structs = self.structs();
        let init = self.init();
        let forward = self.forward();
        let traits = self.traits();
        quote!(#config #structs #init #forward #traits)
    }

    fn config_name(&self) -> Ident {
        format_ident!("{}Config", self.network.head.name)
    }

    /// `tokens`, or nothing of it for an outline.
    fn body(&self, tokens: TokenStream) -> TokenStream {
        if self.outline {
            quote!(::core::unreachable!())
        } else {
            tokens
        }
    }

    /// The configuration of the network `self`.
    fn own_config(&self) -> TokenStream {
        let config = self.config_name();
        match self.network.derived {
            // Without hyper-parameters there is one configuration.
            true => quote!((&#config {})),
            false => quote!((&self.config)),
        }
    }

    fn fields<'b>(&self, block: &'b Block) -> &'b [Field] {
        if self.outline { &[] } else { &block.fields }
    }

    /// The type of each input's tensor.
    fn input_types(&self) -> Vec<TokenStream> {
        let types = self.network.inputs.iter().map(|input| {
            let rank = input.shape.rank().unwrap_or(2);
            match input.integers {
                true => quote!(::kiln::Tensor<#rank, ::kiln::Int>),
                false => quote!(::kiln::Tensor<#rank>),
            }
        });
        let types: Vec<_> = types.collect();
        if types.is_empty() {
            vec![quote!(::kiln::Tensor<2>)]
        } else {
            types
        }
    }

    /// The names of the inputs.
    fn input_names(&self) -> Vec<Ident> {
        // What an outline does not use has no name that rustc would look for uses of.
        let names = self.network.inputs.iter().enumerate();
        let names = names.map(|(i, input)| match self.outline {
            true => Ident::new(&format!("_{i}"), Span::mixed_site()),
            false => input.name.clone(),
        });
        let names: Vec<_> = names.collect();
        if names.is_empty() {
            vec![Ident::new("input", Span::call_site())]
        } else {
            names
        }
    }

    /// The type of each output's tensor.
    fn output_types(&self) -> Vec<TokenStream> {
        let ranks = self.network.outputs.iter();
        let mut ranks: Vec<_> = ranks
            .map(|output| output.shape.rank().unwrap_or(2))
            .collect();
        if ranks.is_empty() {
            ranks.push(2);
        }
        let types = ranks.iter().map(|rank| quote!(::kiln::Tensor<#rank>));
        types.collect()
    }

    /// Where each dimension that is known only when a tensor arrives is found: its variable, the
    /// input, the dimension in it, and its name.
    fn anys(&self) -> Vec<(Ident, usize, usize, String)> {
        let mut found: Vec<(Ident, usize, usize, String)> = Vec::new();
        for (i, input) in self.network.inputs.iter().enumerate() {
            for (j, dim) in input.shape.0.iter().flatten().enumerate() {
                // The first shape that names it is the one that declares it, and there it stands
                // alone.
                if let Some(name) = dim.anys().pop_first()
                    && !found.iter().any(|(.., known)| *known == name)
                {
                    found.push((local(&name), i, j, name));
                }
            }
        }
        found
    }
}

/// One thing as it is, several as a tuple.
fn tuple(parts: &[TokenStream]) -> TokenStream {
    match parts {
        [part] => part.clone(),
        parts => quote!((#(#parts),*)),
    }
}

/// `[Size::Fixed(16), size(..)]`, where what a tensor decides is worked out if it is known.
fn sizes(shape: &Shape) -> TokenStream {
    let dims = shape.0.iter().flatten().map(size);
    quote!([#(#dims),*])
}

/// `Size::Fixed(16)`, or `size(..)`.
fn size(dim: &Dim) -> TokenStream {
    if dim.anys().is_empty() {
        let size = dim.usize_tokens();
        return quote!(::kiln::model::Size::Fixed(#size));
    }
    let (text, value) = (dim.to_string(), known(dim));
    quote!(::kiln::__private::size(#text, #value))
}

/// The `Option<i128>` that a dimension comes to: none if a tensor decides it that is not known.
fn known(dim: &Dim) -> TokenStream {
    let value = dim.tokens();
    let names = dim.anys();
    if names.is_empty() {
        return quote!(::core::option::Option::Some(#value));
    }
    let names = names.iter().map(|name| local(name));
    quote!((|| { #(let #names = #names?;)* ::core::option::Option::Some(#value) })())
}

/// The shape of a batch, for documentation.
fn batched(shape: &Shape) -> String {
    let dims = shape.0.iter().flatten().map(|dim| format!(", {dim}"));
    format!("`[batch{}]`", dims.collect::<String>())
}
