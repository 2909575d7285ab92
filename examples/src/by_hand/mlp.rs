//! The perceptron of `kiln_models::Mlp`.
#![allow(
    clippy::useless_conversion,
    reason = "where the layer is Burn's own, there is nothing to convert"
)]

use super::layers::{Linear, LinearConfig, Relu};
use kiln::burn;
use kiln::burn::module::Module;
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
        let linear = |from, to| LinearConfig::new(from, to).init(device).into();
        Mlp {
            fc1: linear(784, 512),
            fc2: linear(512, 256),
            fc3: linear(256, 10),
        }
    }

    /// `[batch, 1, 28, 28]` to `[batch, 10]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let relu = Relu::new();
        let x = image.flatten(1, 3);
        let x = relu.forward(self.fc1.forward(x));
        let x = relu.forward(self.fc2.forward(x));
        self.fc3.forward(x)
    }
}
