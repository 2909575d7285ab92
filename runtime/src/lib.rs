//! Declare a neural network, an optimizer and a learning-rate schedule; have every shape, unit
//! and name checked while your crate compiles; train it on any [Burn](https://burn.dev) backend.
//!
#![doc = include_str!("../README.md")]

// The macros write `::kiln::..`; this crate's own examples and tests use them too.
extern crate self as kiln;

mod atomic;
pub mod data;
pub mod device;
pub mod diagnose;
mod error;
pub mod exchange;
pub mod flatness;
pub mod kernel;
pub mod layer;
pub mod loss;
pub mod model;
pub mod optim;
pub mod prelude;
pub mod report;
pub mod schedule;
mod svg;
pub mod tangent;
pub mod train;
#[cfg(feature = "weights")]
pub mod weights;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use burn;
pub use burn::tensor::{Device, Int, Tensor};
pub use error::{Error, Result};
pub use kiln_macros::Model;
#[doc = include_str!("model/grammar.md")]
pub use kiln_macros::model;
#[doc = include_str!("optim/language.md")]
pub use kiln_macros::optimizer;
#[doc = include_str!("schedule/grammar.md")]
pub use kiln_macros::schedule;
pub use model::{Batch, Model};
