//! Ready networks, each declared with `kiln::model!` in a file of its own.
//!
//! Most classify images `[channels, height, width]` and return one score per class; the exceptions
//! say so.
//!
//! The parameter paths of [`ResNet18`], [`ResNet34`], [`ResNet50`] and [`Vgg16`] are those of
//! torchvision, and those of [`CifarResNet`] are
//! [akamaster's](https://github.com/akamaster/pytorch_resnet_cifar10), so that their weights can be
//! loaded (feature `weights` of `kiln`). [`Vit`] deviates from torchvision in three, which it names.
//! The other networks have paths of their own.
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
