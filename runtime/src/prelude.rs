//! What most programs use: `use kiln::prelude::*;`.

pub use crate::data::Source;
pub use crate::device::default_device;
pub use crate::model::{Batch, ModelConfig};
pub use crate::optim::Optimizer;
pub use crate::schedule::Schedule;
pub use crate::train::{Trainer, evaluate};
#[cfg(feature = "weights")]
pub use crate::weights::ModuleWeights;
pub use crate::{Device, Int, Model, Tensor, model, optimizer, schedule};
pub use burn::config::Config;
pub use burn::module::Module;
