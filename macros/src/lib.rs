//! The procedural macros of Kiln; use them through the crate `kiln`, which documents them.

#[cfg(test)]
mod fuzz;
mod model;
mod optimizer;
mod report;
mod schedule;
mod shared;
mod suggest;
mod syntax;

use proc_macro::TokenStream;

/// Declares a network; the grammar and its rules are documented in `kiln::model!`.
#[proc_macro]
pub fn model(input: TokenStream) -> TokenStream {
    model::expand(input.into()).into()
}

/// Makes a network of a struct whose fields are the layers; documented in `kiln::model!`.
#[proc_macro_derive(Model, attributes(model, layer))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    model::derive(input).into()
}

/// Declares an optimizer; the grammar and its rules are documented in `kiln::optimizer!`.
#[proc_macro]
pub fn optimizer(input: TokenStream) -> TokenStream {
    optimizer::expand(input.into()).into()
}

/// Makes an optimizer of a struct whose fields are its hyper-parameters; documented in
/// `kiln::optimizer!`.
#[proc_macro_derive(Optimizer, attributes(optimizer))]
pub fn derive_optimizer(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    optimizer::derive(input).into()
}

/// Declares a learning-rate schedule; the grammar and its rules are documented in
/// `kiln::schedule!`.
#[proc_macro]
pub fn schedule(input: TokenStream) -> TokenStream {
    schedule::expand(input.into()).into()
}

/// Makes a schedule of a struct whose fields are its hyper-parameters; documented in
/// `kiln::schedule!`.
#[proc_macro_derive(Schedule, attributes(schedule))]
pub fn derive_schedule(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    schedule::derive(input).into()
}

/// The rules of the phases, for `kiln` to compile beside its own code. Not for users.
#[doc(hidden)]
#[proc_macro]
pub fn __schedule_rules(_: TokenStream) -> TokenStream {
    shared::modules(&schedule::RULES).into()
}

/// The rules of the statements, for `kiln` to compile beside its own code. Not for users.
#[doc(hidden)]
#[proc_macro]
pub fn __optimizer_rules(_: TokenStream) -> TokenStream {
    shared::modules(&[("rules", optimizer::RULES)]).into()
}
