//! `schedule!`: parse -> check -> IR -> expand. `rules` is the table of what may be written.

mod check;
mod expand;
mod ir;
mod parse;
mod rules;
#[cfg(test)]
pub mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::report::Report;
use crate::syntax;

/// The expansion of a declaration. Mistakes become `compile_error!`s beside the declared type.
pub fn expand(input: TokenStream) -> TokenStream {
    let report = Report::new();
    let declaration = syntax::parse(input, &report, |input| parse::declaration(input, &report));
    let items = declaration.map(|declaration| expand::expand(&check::check(declaration, &report)));
    let errors = report.into_tokens();
    quote!(#errors #items)
}

/// The module `rules`, for the runtime to compile as well.
pub fn rules() -> TokenStream {
    let source: TokenStream = match include_str!("rules.rs").parse() {
        Ok(source) => source,
        Err(error) => {
            let message = error.to_string();
            return quote!(::core::compile_error!(#message););
        }
    };
    quote!(mod rules { #source })
}
