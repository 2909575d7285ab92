//! x
#![allow(dead_code)]
mod report;
mod schedule;
mod suggest;
mod syntax;

use proc_macro::TokenStream;

/// Declares a learning-rate schedule. The grammar and its rules are documented in `kiln::schedule!`.
#[proc_macro]
pub fn schedule(input: TokenStream) -> TokenStream {
    schedule::expand(input.into()).into()
}

/// The rules of the phases, for `kiln` to compile beside its own code. Not for users.
#[doc(hidden)]
#[proc_macro]
pub fn __schedule_rules(_: TokenStream) -> TokenStream {
    schedule::rules().into()
}
