//! The convolutional network of `kiln_models::Cnn`.
#![allow(
    clippy::useless_conversion,
    reason = "where the layer is Burn's own, there is nothing to convert"
)]

use super::layers::{
    Conv2d, Conv2dConfig, Linear, LinearConfig, MaxPool2d, MaxPool2dConfig, PaddingConfig2d, Relu,
};
use kiln::burn;
use kiln::burn::module::Module;
use kiln::{Device, Tensor};

/// conv16-pool-conv32-pool-128-10.
#[derive(Module, Debug)]
pub struct Cnn {
    conv1: Conv2d,
    pool1: MaxPool2d,
    conv2: Conv2d,
    pool2: MaxPool2d,
    fc1: Linear,
    fc2: Linear,
}

impl Cnn {
    /// Draws the weights.
    pub fn new(device: &Device) -> Self {
        let conv = |channels| {
            let config = Conv2dConfig::new(channels, [3, 3]);
            let config = config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
            config.init(device).into()
        };
        let pool = || MaxPool2dConfig::new([2, 2]).init().into();
        let linear = |from, to| LinearConfig::new(from, to).init(device).into();
        Cnn {
            conv1: conv([1, 16]),
            pool1: pool(),
            conv2: conv([16, 32]),
            pool2: pool(),
            fc1: linear(32 * 7 * 7, 128),
            fc2: linear(128, 10),
        }
    }

    /// `[batch, 1, 28, 28]` to `[batch, 10]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let relu = Relu::new();
        let x = self.pool1.forward(relu.forward(self.conv1.forward(image)));
        let x = self.pool2.forward(relu.forward(self.conv2.forward(x)));
        let x = relu.forward(self.fc1.forward(x.flatten(1, 3)));
        self.fc2.forward(x)
    }
}
