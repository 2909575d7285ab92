//! Ready networks, each declared with `kiln::model!` in a file of its own.
//!
//! All of them classify images `[channels, height, width]` and return one score per class.
//!
//! ```
//! use kiln::prelude::*;
//! use kiln_models::{Cnn, CnnConfig};
//!
//! let device = default_device()?;
//! let model: Cnn = CnnConfig::new().with_size(8).init(&device)?;
//! let scores = model.forward(Tensor::zeros([2, 1, 8, 8], &device));
//! assert_eq!(scores.dims(), [2, 10]);
//! # Ok::<(), kiln::Error>(())
//! ```

mod cnn;
mod lenet;
mod mlp;

pub use cnn::{Cnn, CnnConfig};
pub use lenet::{LeNet5, LeNet5Config};
pub use mlp::{Mlp, MlpConfig};
