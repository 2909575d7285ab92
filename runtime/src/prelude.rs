//! What most programs use: `use kiln::prelude::*;`.

pub use crate::data::Source;
pub use crate::device::default_device;
pub use crate::model::{Batch, Model, ModelConfig};
pub use crate::{Device, Int, Tensor, model};
pub use burn::config::Config;
pub use burn::module::Module;
