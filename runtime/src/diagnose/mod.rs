//! What a training suffers from, and what to try first.
//!
//! [`diagnose`] reads the records of a training and names its symptoms, each with the numbers that
//! speak for it; [`dead_units`] looks into the network; a [`RangeTest`] finds the learning rate; and
//! [`Predictions`] over repeated training sets tell bias from variance.
//!
//! ```
//! use kiln::data::digits;
//! use kiln::diagnose::{dead_units, diagnose};
//! use kiln::prelude::*;
//!
//! model! {
//!     struct Net;
//!     input image: [1, 8, 8];
//!     let scores = image -> flatten -> linear(32) -> relu -> linear(10);
//!     output scores;
//!     loss cross_entropy;
//! }
//! optimizer! { struct Momentum; update sgd(momentum: 0.9); }
//! schedule! { struct Decay; peak 0.05; cosine; }
//!
//! let (train, test) = digits()?.split(0.8, 1)?;
//! let device = default_device()?;
//! device.seed(1);
//! let model = NetConfig::new().init(&device)?;
//! let run = Trainer::new(model, Momentum::new(), Decay::new())
//!     .epochs(8)
//!     .validate(&test)
//!     .quiet()
//!     .fit(train)?;
//! let diagnosis = diagnose(&run).with(&dead_units(&run.model, &digits()?)?);
//! println!("{diagnosis}");
//! assert!(diagnosis.is_healthy(), "{diagnosis}");
//! # Ok::<(), kiln::Error>(())
//! ```

#![doc = include_str!("rules.md")]

mod bias_variance;
mod dead_units;
mod error;
mod finding;
mod range_test;
mod records;
mod rules;
mod zero_one;

pub use bias_variance::{BiasVariance, Parts, Predictions};
pub use dead_units::{DeadUnits, LayerUnits, dead_units};
pub use error::DiagnoseError;
pub use finding::{Confidence, Diagnosis, Evidence, Finding, Place, Symptom, Threshold, Unjudged};
pub use range_test::{RangePoint, RangeTest, RateCurve};
pub use records::Records;
pub use rules::diagnose;
pub use zero_one::ZeroOne;
