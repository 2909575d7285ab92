//! Rules that the macros and `kiln` both go by: one source, compiled in both.

use proc_macro2::TokenStream;
use quote::quote;

/// The module `rules` with `source`, for the runtime to compile as well.
pub fn rules(source: &str) -> TokenStream {
    let source: TokenStream = match source.parse() {
        Ok(source) => source,
        Err(error) => {
            let message = error.to_string();
            return quote!(::core::compile_error!(#message););
        }
    };
    quote!(mod rules { #source })
}
