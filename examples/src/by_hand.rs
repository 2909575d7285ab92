//! `kiln_models::Mlp` and `Cnn` as one writes them in Burn by hand: what the declared ones are
//! measured against.

use kiln::burn;
use kiln::burn::module::Module;
use kiln::burn::nn::conv::{Conv2d, Conv2dConfig};
use kiln::burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use kiln::burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use kiln::burn::tensor::activation::relu;
use kiln::{Device, Tensor};

/// 784-512-256-10.
#[derive(Module, Debug)]
pub struct Mlp {
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Mlp {
    /// Draws the weights.
    pub fn new(device: &Device) -> Self {
        Mlp {
            fc1: LinearConfig::new(784, 512).init(device),
            fc2: LinearConfig::new(512, 256).init(device),
            fc3: LinearConfig::new(256, 10).init(device),
        }
    }

    /// `[batch, 1, 28, 28]` to `[batch, 10]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let x = image.flatten(1, 3);
        let x = relu(self.fc1.forward(x));
        let x = relu(self.fc2.forward(x));
        self.fc3.forward(x)
    }
}

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
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new(channels, [3, 3])
                .with_padding(padding)
                .init(device)
        };
        let pool = || MaxPool2dConfig::new([2, 2]).init();
        Cnn {
            conv1: conv([1, 16]),
            pool1: pool(),
            conv2: conv([16, 32]),
            pool2: pool(),
            fc1: LinearConfig::new(32 * 7 * 7, 128).init(device),
            fc2: LinearConfig::new(128, 10).init(device),
        }
    }

    /// `[batch, 1, 28, 28]` to `[batch, 10]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let x = self.pool1.forward(relu(self.conv1.forward(image)));
        let x = self.pool2.forward(relu(self.conv2.forward(x)));
        let x = relu(self.fc1.forward(x.flatten(1, 3)));
        self.fc2.forward(x)
    }
}
