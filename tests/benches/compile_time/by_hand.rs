//! ResNet-50 by hand.
use kiln::burn;
use kiln::burn::config::Config;
use kiln::burn::module::Module;
use kiln::burn::nn::conv::{Conv2d, Conv2dConfig};
use kiln::burn::nn::loss::CrossEntropyLossConfig;
use kiln::burn::nn::pool::{
    AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig,
};
use kiln::burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use kiln::{Device, Int, Tensor};

/// A convolution and its norm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let padding = kernel / 2;
        ConvNorm {
            conv: Conv2dConfig::new(channels, [kernel, kernel])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(
                    padding, padding, padding, padding,
                ))
                .with_bias(false)
                .init(device),
            norm: BatchNormConfig::new(channels[1]).init(device),
        }
    }
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(input))
    }
}

/// A bottleneck.
#[derive(Module, Debug)]
pub struct Bottleneck {
    conv1: ConvNorm,
    conv2: ConvNorm,
    conv3: ConvNorm,
    downsample: Option<ConvNorm>,
    relu: Relu,
}

impl Bottleneck {
    fn new(from: usize, width: usize, stride: usize, device: &Device) -> Self {
        let out = 4 * width;
        Bottleneck {
            conv1: ConvNorm::new([from, width], 1, 1, device),
            conv2: ConvNorm::new([width, width], 3, stride, device),
            conv3: ConvNorm::new([width, out], 1, 1, device),
            downsample: (from != out || stride != 1)
                .then(|| ConvNorm::new([from, out], 1, stride, device)),
            relu: Relu::new(),
        }
    }
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let around = match &self.downsample {
            Some(layer) => layer.forward(input.clone()),
            None => input.clone(),
        };
        let x = self.relu.forward(self.conv1.forward(input));
        let x = self.relu.forward(self.conv2.forward(x));
        self.relu.forward(self.conv3.forward(x) + around)
    }
}

/// The settings.
#[derive(Config, Debug)]
pub struct ResNet50Config {
    #[config(default = 64)]
    width: usize,
    #[config(default = 1000)]
    classes: usize,
}

/// ResNet-50.
#[derive(Module, Debug)]
pub struct ResNet50 {
    stem: ConvNorm,
    pool: MaxPool2d,
    layer1: Vec<Bottleneck>,
    layer2: Vec<Bottleneck>,
    layer3: Vec<Bottleneck>,
    layer4: Vec<Bottleneck>,
    mean: AdaptiveAvgPool2d,
    fc: Linear,
    relu: Relu,
}

impl ResNet50Config {
    /// Makes it.
    pub fn init(&self, device: &Device) -> ResNet50 {
        let w = self.width;
        let stage = |from: usize, width: usize, blocks: usize, stride: usize| -> Vec<Bottleneck> {
            (0..blocks)
                .map(|i| {
                    if i == 0 {
                        Bottleneck::new(from, width, stride, device)
                    } else {
                        Bottleneck::new(4 * width, width, 1, device)
                    }
                })
                .collect()
        };
        ResNet50 {
            stem: ConvNorm::new([3, w], 7, 2, device),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            layer1: stage(w, w, 3, 1),
            layer2: stage(4 * w, 2 * w, 4, 2),
            layer3: stage(8 * w, 4 * w, 6, 2),
            layer4: stage(16 * w, 8 * w, 3, 2),
            mean: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            fc: LinearConfig::new(32 * w, self.classes).init(device),
            relu: Relu::new(),
        }
    }
}

impl ResNet50 {
    /// Runs it.
    pub fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let mut x = self
            .pool
            .forward(self.relu.forward(self.stem.forward(image)));
        for block in self
            .layer1
            .iter()
            .chain(&self.layer2)
            .chain(&self.layer3)
            .chain(&self.layer4)
        {
            x = block.forward(x);
        }
        self.fc.forward(self.mean.forward(x).flatten(1, 3))
    }
    /// The loss.
    pub fn loss(&self, image: Tensor<4>, target: Tensor<1, Int>) -> Tensor<1> {
        let scores = self.forward(image);
        CrossEntropyLossConfig::new()
            .init(&scores.device())
            .forward(scores, target)
    }
}
