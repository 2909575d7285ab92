//! `optimizer!`: parse -> check -> IR -> expand. `rules` is the table of what may be written.

mod check;
mod expand;
mod ir;
mod parse;
mod rules;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use syn::parse::Parser;

use crate::report::Report;

/// The code that a declaration stands for, or its mistakes together with the types it declares.
pub fn expand(input: TokenStream) -> TokenStream {
    let report = Report::new();
    let parse = |input: syn::parse::ParseStream| parse::declaration(input, &report);
    let code = match parse.parse2(input) {
        Ok(declaration) => {
            let recipe = check::recipe(&declaration, &report);
            expand::tokens(&declaration.head, &recipe)
        }
        Err(error) => {
            report.syn(error);
            TokenStream::new()
        }
    };
    let errors = report.into_tokens();
    quote::quote!(#errors #code)
}
