//! ResNet-20 for 32×32 colour images.
#![allow(
    clippy::useless_conversion,
    reason = "where the layer is Burn's own, there is nothing to convert"
)]

use super::layers::{
    BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, GlobalAvgPool, Linear, LinearConfig,
    PaddingConfig2d, add_relu, norm_relu,
};
use kiln::burn;
use kiln::burn::module::Module;
use kiln::{Device, Tensor};

/// The network for CIFAR-10 of [He et al. 2016](https://doi.org/10.1109/CVPR.2016.90), section
/// 4.2: a 3×3 convolution, three stages of three blocks at 16, 32 and 64 channels, the mean over
/// the pixels, a dense layer. Where the shape changes, the shortcut is a 1×1 convolution with
/// batch norm (their option B).
#[derive(Module, Debug)]
pub struct ResNet20 {
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: Linear,
}

impl ResNet20 {
    /// Draws the weights.
    pub fn new(device: &Device) -> Self {
        let stages = [(16, 16, 1), (16, 32, 2), (32, 64, 2)];
        let blocks = stages.into_iter().flat_map(|(from, to, stride)| {
            let first = Block::new(from, to, stride, device);
            [
                first,
                Block::new(to, to, 1, device),
                Block::new(to, to, 1, device),
            ]
        });
        ResNet20 {
            stem: ConvNorm::new([3, 16], 3, 1, device),
            blocks: blocks.collect(),
            head: LinearConfig::new(64, 10).init(device).into(),
        }
    }

    /// `[batch, 3, 32, 32]` to `[batch, 10]`.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let mut x = self.stem.forward_relu(image);
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head.forward(GlobalAvgPool::new().forward(x))
    }
}

/// Two 3×3 convolutions and a shortcut around them.
#[derive(Module, Debug)]
struct Block {
    conv1: ConvNorm,
    conv2: ConvNorm,
    shortcut: Option<ConvNorm>,
}

impl Block {
    fn new(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        Block {
            conv1: ConvNorm::new([from, to], 3, stride, device),
            conv2: ConvNorm::new([to, to], 3, 1, device),
            shortcut: (from != to).then(|| ConvNorm::new([from, to], 1, stride, device)),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.shortcut {
            Some(projection) => projection.forward(input.clone()),
            None => input.clone(),
        };
        let x = self.conv1.forward_relu(input);
        add_relu(self.conv2.forward(x), shortcut)
    }
}

/// A convolution without bias, and batch norm.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let pad = kernel / 2;
        let conv = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(false);
        ConvNorm {
            conv: conv.init(device).into(),
            norm: BatchNormConfig::new(channels[1]).init(device).into(),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(input))
    }

    fn forward_relu(&self, input: Tensor<4>) -> Tensor<4> {
        norm_relu(&self.norm, self.conv.forward(input))
    }
}
