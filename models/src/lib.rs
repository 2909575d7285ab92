//! Ready networks, each declared with `kiln::model!` in a file of its own.
//!
//! Most classify images `[channels, height, width]` and return one score per class; the exceptions
//! say so. Where PyTorch has the same network, the parameter paths are the same, so that its weights
//! can be loaded (feature `weights` of `kiln`).
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

mod alexnet;
mod char_transformer;
mod cifar_resnet;
mod cnn;
mod keskar;
mod lenet;
mod lstm_classifier;
mod mlp;
mod resnet;
mod vgg;
mod vit;
mod wide_resnet;

pub use alexnet::{AlexNet, AlexNetConfig};
pub use char_transformer::{CharTransformer, CharTransformerConfig};
pub use cifar_resnet::{CifarResNet, CifarResNetConfig};
pub use cnn::{Cnn, CnnConfig};
pub use keskar::{KeskarC1, KeskarC1Config, KeskarC2, KeskarC2Config, KeskarF, KeskarFConfig};
pub use lenet::{LeNet5, LeNet5Config};
pub use lstm_classifier::{LstmClassifier, LstmClassifierConfig};
pub use mlp::{Mlp, MlpConfig};
pub use resnet::{ResNet18, ResNet18Config, ResNet34, ResNet34Config, ResNet50, ResNet50Config};
pub use vgg::{Vgg16, Vgg16Config};
pub use vit::{Vit, VitConfig};
pub use wide_resnet::{WideResNet, WideResNetConfig};
