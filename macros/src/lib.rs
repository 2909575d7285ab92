//! The macros of `kiln`: three languages, each parsed, checked and expanded. Use them through `kiln`.
#![allow(dead_code, unused_imports, reason = "not all that the languages share is in use yet")]

mod optimizer;
mod report;
mod suggest;
mod syntax;

#[allow(missing_docs, reason = "documented where `kiln` re-exports it")]
#[proc_macro]
pub fn optimizer(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    optimizer::expand(input.into()).into()
}
