//! `model!`: parse -> check -> IR -> expand. `check` works over `dim`, `require` and `paths`; `layers`
//! and `loss` are the tables of what may be written.

pub mod check;
mod derive;
pub mod dim;
mod expand;
pub mod ir;
pub mod layers;
mod loss;
pub mod parse;
mod paths;
pub mod require;
#[cfg(test)]
pub mod tests;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use self::ir::Network;
use crate::report::Report;
use crate::syntax;

/// Expands a `model!` declaration, or says everything that is wrong with it.
pub fn expand(input: TokenStream) -> TokenStream {
    let report = Report::new();
    let parsed = syntax::parse(input, &report, |input| parse::parse(input, &report));
    match parsed {
        Some(declaration) => written(check::check(declaration, false, &report), report),
        None => report.into_tokens(),
    }
}

/// Expands `#[derive(Model)]`, or says everything that is wrong with the struct.
pub fn derive(input: DeriveInput) -> TokenStream {
    let report = Report::new();
    let Some(parsed) = derive::parse(input, &report) else {
        return report.into_tokens();
    };
    let network = check::check(parsed.declaration, true, &report);
    derive::compare(&parsed.fields, &network, &report);
    written(network, report)
}

/// The code of a network. With an error in it the declaration still gives its types, so that rustc
/// does not report every use of them as well.
fn written(network: Network, report: Report) -> TokenStream {
    let clean = report.is_clean();
    let errors = report.into_tokens();
    let types = if clean {
        expand::network(&network)
    } else {
        expand::outline(&network)
    };
    quote::quote!(#errors #types)
}
