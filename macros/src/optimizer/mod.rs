//! `optimizer!`: parse -> check -> IR -> expand. `rules` is the table of what may be written.

mod check;
mod expand;
mod ir;
mod order;
mod parse;
mod rules;
#[cfg(test)]
pub mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;
use syn::parse::ParseStream;

use crate::report::Report;
use crate::syntax::{self, Derive};

/// The source of the rules, which `kiln` compiles as well.
pub const RULES: &str = include_str!("rules.rs");

/// The code that a declaration stands for, or its mistakes together with the types it declares.
pub fn expand(input: TokenStream) -> TokenStream {
    let report = Report::new();
    let parse = |input: ParseStream| parse::declaration(input, &report);
    let declaration = syntax::parse(input, &report, parse);
    finish(declaration, report)
}

/// The same of a struct whose attribute holds the statements.
pub fn derive(input: DeriveInput) -> TokenStream {
    const DERIVE: Derive = Derive {
        of: "Optimizer",
        attribute: "optimizer",
        body: "update sgd(momentum: 0.9);",
    };
    let report = Report::new();
    let declaration = DERIVE.parse(input, &report).and_then(|(head, body)| {
        let broken = !report.is_clean();
        let parse = |input: ParseStream| Ok(parse::body(head, input, &report));
        let mut declaration = syntax::parse(body, &report, parse)?;
        declaration.broken |= broken;
        Some(declaration)
    });
    finish(declaration, report)
}

fn finish(declaration: Option<parse::Declaration>, report: Report) -> TokenStream {
    let code = declaration.map(|declaration| {
        let recipe = check::recipe(&declaration, &report);
        expand::tokens(&declaration.head, &recipe)
    });
    let errors = report.into_tokens();
    quote!(#errors #code)
}
