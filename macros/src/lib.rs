//! The procedural macros of Kiln; use them through the crate `kiln`, which documents them.

mod model;
mod report;
mod suggest;
mod syntax;

use proc_macro::TokenStream;

/// Declares a network; see the documentation in `kiln`.
#[proc_macro]
pub fn model(input: TokenStream) -> TokenStream {
    model::expand(input.into()).into()
}
