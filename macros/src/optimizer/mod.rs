//! `optimizer!`: parse -> check -> IR -> expand. `rules` is the table of what may be written.

mod check;
mod expand;
mod ir;
mod parse;
mod rules;
#[cfg(test)]
pub mod tests;

use proc_macro2::TokenStream;
use syn::parse::ParseStream;

use crate::report::Report;

/// The source of the rules, which `kiln` compiles as well.
pub const RULES: &str = include_str!("rules.rs");

/// The code that a declaration stands for, or its mistakes together with the types it declares.
pub fn expand(input: TokenStream) -> TokenStream {
    let report = Report::new();
    let parse = |input: ParseStream| parse::declaration(input, &report);
    let declaration = crate::syntax::parse(input, &report, parse);
    let code = declaration.map(|declaration| {
        let recipe = check::recipe(&declaration, &report);
        expand::tokens(&declaration.head, &recipe)
    });
    let errors = report.into_tokens();
    quote::quote!(#errors #code)
}
