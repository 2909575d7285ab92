//! Declare a network, an optimizer and a schedule; train it on any Burn backend.

extern crate self as kiln;

pub mod data;
pub mod optim;

#[doc = include_str!("optim/language.md")]
pub use kiln_macros::optimizer;

#[doc(hidden)]
pub mod __private {
    pub use burn;
    pub use serde;
}
