//! `schedule!`: parse -> check -> IR -> expand. `phases` is the table of what may be written, `rules`
//! what must hold for it.

mod check;
mod expand;
mod ir;
mod parse;
mod phases;
pub mod rules;
#[cfg(test)]
pub mod tests;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;
use syn::parse::ParseStream;

use crate::report::Report;
use crate::syntax::{self, Derive};

/// The expansion of a declaration. Mistakes become `compile_error!`s beside the declared type.
pub fn expand(input: TokenStream) -> TokenStream {
    let report = Report::new();
    let declaration = syntax::parse(input, &report, |input| parse::declaration(input, &report));
    finish(declaration, report)
}

/// The same of a struct whose attribute holds the statements.
pub fn derive(input: DeriveInput) -> TokenStream {
    const DERIVE: Derive = Derive {
        of: "Schedule",
        attribute: "schedule",
        body: "peak 0.1; warmup(5 epochs) -> cosine;",
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
    let items = declaration.map(|declaration| expand::expand(&check::check(declaration, &report)));
    let errors = report.into_tokens();
    quote!(#errors #items)
}

/// The sources of `rules` and of `phases`, which `kiln` compiles as well.
pub const RULES: [(&str, &str); 2] = [
    ("rules", include_str!("rules.rs")),
    ("phases", include_str!("phases.rs")),
];
