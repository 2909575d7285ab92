//! Declare a neural network, an optimizer and a learning-rate schedule; have every shape, unit
//! and name checked while your crate compiles; train it on any [Burn](https://burn.dev) backend.
//!
#![doc = include_str!("../../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// The macros write `::kiln::..`; this crate's own examples and tests use them too.
extern crate self as kiln;

pub mod data;
pub mod device;
mod error;
pub mod layer;
pub mod loss;
pub mod model;
pub mod prelude;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use burn;
pub use burn::tensor::{Device, Int, Tensor};
pub use error::{Error, Result};
pub use kiln_macros::model;
pub use model::{Batch, Model};
