//! `schedule!`: parse -> check -> IR -> expand. `rules` is the table of what may be written.

mod check;
mod expand;
mod ir;
mod parse;
pub mod rules;
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

/// The source of the rules, which `kiln` compiles as well.
pub const RULES: &str = include_str!("rules.rs");
