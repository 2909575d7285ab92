//! Rules that the macros and `kiln` both go by: one source, compiled in both.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

/// A module for each name and source, for the runtime to compile as well.
pub fn modules(sources: &[(&str, &str)]) -> TokenStream {
    let modules = sources.iter().map(|(name, source)| {
        let name = format_ident!("{name}");
        match source.parse::<TokenStream>() {
            Ok(source) => quote!(mod #name { #source }),
            Err(error) => {
                let message = error.to_string();
                quote!(::core::compile_error!(#message);)
            }
        }
    });
    quote!(#(#modules)*)
}
