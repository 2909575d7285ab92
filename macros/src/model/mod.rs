//! `model!`: parse -> check -> IR -> expand. `check` works over `dim`, `require` and `paths`; `layers`
//! and `loss` are the tables of what may be written.

mod check;
mod dim;
mod expand;
mod ir;
mod layers;
mod loss;
mod parse;
mod paths;
pub mod require;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::report::Report;
use crate::syntax;

/// Expands a `model!` declaration, or says everything that is wrong with it.
pub fn expand(input: TokenStream) -> TokenStream {
    let report = Report::new();
    let parsed = syntax::parse(input, &report, |input| parse::parse(input, &report));
    let Some(declaration) = parsed else {
        return report.into_tokens();
    };
    let network = check::check(declaration, &report);
    let clean = report.is_clean();
    let errors = report.into_tokens();
    // With an error in it the declaration still gives its types, so that rustc does not report
    // every use of them as well.
    let types = if clean {
        expand::network(&network)
    } else {
        expand::outline(&network)
    };
    quote::quote!(#errors #types)
}
