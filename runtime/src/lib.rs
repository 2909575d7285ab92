//! Declare a network, an optimizer and a schedule; train it on any Burn backend.

extern crate self as kiln;

pub mod data;
pub mod schedule;

#[doc = include_str!("schedule/grammar.md")]
pub use kiln_macros::schedule;

#[doc(hidden)]
pub mod __private {
    pub use burn;
    pub use serde;
}
