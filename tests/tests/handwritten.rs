//! A declared network is the network that one would write by hand with Kiln's layers and Burn's
//! optimizer: the same outputs, losses, gradients and weights after three steps, bit for bit on CPU
//! devices.

use std::collections::BTreeMap;

use kiln::burn;
use kiln::burn::module::{Module, ModuleVisitor, Param};
use kiln::burn::optim::momentum::MomentumConfig;
use kiln::burn::optim::{GradientsParams, SgdConfig};
use kiln::burn::tensor::Gradients;
use kiln::data::{Source, TensorData, digits};
use kiln::layer::{
    BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Dropout, DropoutConfig, GlobalAvgPool,
    Linear, LinearConfig, MaxPool2d, MaxPool2dConfig, PaddingConfig2d, Relu,
};
use kiln::model::{Model, ModelConfig};
use kiln::optim::Optimizer;
use kiln::{Device, Int, Tensor, model, optimizer};
use kiln_models::{CnnConfig, MlpConfig};
use kiln_tests::{device, lock, same_training};

#[derive(Module, Debug)]
struct Mlp {
    linear1: Linear,
    linear2: Linear,
    linear3: Linear,
    activation: Relu,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        Mlp {
            linear1: LinearConfig::new(64, 512).init(device).into(),
            linear2: LinearConfig::new(512, 256).init(device).into(),
            linear3: LinearConfig::new(256, 10).init(device).into(),
            activation: Relu::new(),
        }
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let [batch, channels, height, width] = image.dims();
        let x = image.reshape([batch, channels * height * width]);
        let x = self.activation.forward(self.linear1.forward(x));
        let x = self.activation.forward(self.linear2.forward(x));
        self.linear3.forward(x)
    }
}

#[test]
fn the_perceptron_by_hand_has_the_same_bits() {
    let config = MlpConfig::new().with_size(8);
    compare(&config, Mlp::new, Mlp::forward);
}

#[derive(Module, Debug)]
struct Cnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    linear1: Linear,
    linear2: Linear,
    activation: Relu,
}

impl Cnn {
    fn new(device: &Device) -> Self {
        let conv = |channels| {
            Conv2dConfig::new(channels, [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
                .into()
        };
        Cnn {
            conv1: conv([1, 16]),
            conv2: conv([16, 32]),
            pool: MaxPool2dConfig::new([2, 2])
                .with_strides([2, 2])
                .init()
                .into(),
            linear1: LinearConfig::new(32 * 2 * 2, 128).init(device).into(),
            linear2: LinearConfig::new(128, 10).init(device).into(),
            activation: Relu::new(),
        }
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let x = self
            .pool
            .forward(self.activation.forward(self.conv1.forward(image)));
        let x = self
            .pool
            .forward(self.activation.forward(self.conv2.forward(x)));
        let x = self
            .activation
            .forward(self.linear1.forward(x.flatten(1, 3)));
        self.linear2.forward(x)
    }
}

#[test]
fn the_convolutional_network_by_hand_has_the_same_bits() {
    compare(&CnnConfig::new().with_size(8), Cnn::new, Cnn::forward);
}

model! {
    /// What the design shows: a stem, residual blocks, dropout.
    struct Declared { channels: usize = 8, drop: f64 = 0.2 }
    input image: [1, 8, 8];
    let stem = image -> conv2d(channels, kernel: 3, padding: same) -> batch_norm -> relu;
    let body = stem -> repeat 2 {
        residual {
            conv2d(channels, kernel: 3, padding: same) -> batch_norm -> relu
            -> conv2d(channels, kernel: 3, padding: same) -> batch_norm
        } -> relu
    };
    let scores = body -> global_avg_pool -> dropout(drop) -> linear(10);
    output scores;
    loss cross_entropy;
}

#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    activation: Relu,
}

impl Block {
    fn new(device: &Device) -> Self {
        let conv = || {
            let config = Conv2dConfig::new([8, 8], [3, 3]);
            config
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
                .into()
        };
        Block {
            conv1: conv(),
            norm1: BatchNormConfig::new(8).init(device).into(),
            conv2: conv(),
            norm2: BatchNormConfig::new(8).init(device).into(),
            activation: Relu::new(),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let x = self.norm1.forward(self.conv1.forward(input.clone()));
        let x = self
            .norm2
            .forward(self.conv2.forward(self.activation.forward(x)));
        self.activation.forward(input + x)
    }
}

#[derive(Module, Debug)]
struct Residual {
    conv: Conv2d,
    norm: BatchNorm,
    blocks: Vec<Block>,
    dropout: Dropout,
    head: Linear,
    activation: Relu,
}

impl Residual {
    fn new(device: &Device) -> Self {
        let conv = Conv2dConfig::new([1, 8], [3, 3]).with_padding(PaddingConfig2d::Same);
        Residual {
            conv: conv.init(device).into(),
            norm: BatchNormConfig::new(8).init(device).into(),
            blocks: (0..2).map(|_| Block::new(device)).collect(),
            dropout: DropoutConfig::new(0.2).init(),
            head: LinearConfig::new(8, 10).init(device).into(),
            activation: Relu::new(),
        }
    }

    fn forward(&self, image: Tensor<4>) -> Tensor<2> {
        let x = self.norm.forward(self.conv.forward(image));
        let mut x = self.activation.forward(x);
        for block in &self.blocks {
            x = block.forward(x);
        }
        let x = GlobalAvgPool::new().forward(x);
        self.head.forward(self.dropout.forward(x))
    }
}

#[test]
fn a_residual_network_with_norms_and_dropout_by_hand_has_the_same_bits() {
    compare(&DeclaredConfig::new(), Residual::new, Residual::forward);
}

optimizer! {
    struct Momentum;
    update sgd(momentum: 0.9, nesterov: true);
}

const STEPS: u64 = 3;
const RATE: f64 = 0.1;

/// Everything that a training comes to, as bits.
#[derive(Default, PartialEq)]
struct Trace(Vec<(String, Vec<u32>)>);

impl Trace {
    fn add(&mut self, what: &str, data: TensorData) {
        self.0.push((
            what.to_owned(),
            data.iter::<f32>().map(f32::to_bits).collect(),
        ));
    }

    /// Every tensor of a module in the order of its fields, whatever they are called.
    fn add_all<M: Module>(&mut self, what: &str, module: &M) {
        struct Collect<'a>(&'a str, &'a mut Trace);
        impl ModuleVisitor for Collect<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.1.add(self.0, param.val().into_data());
            }
        }
        module.valid().visit(&mut Collect(what, self));
    }

    fn add_gradients<M: Module>(&mut self, what: &str, module: &M, gradients: &Gradients) {
        struct Collect<'a>(&'a str, &'a mut Trace, &'a Gradients);
        impl ModuleVisitor for Collect<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(gradient) = param.val().grad(self.2) {
                    self.1.add(self.0, gradient.into_data());
                }
            }
        }
        module.visit(&mut Collect(what, self, gradients));
    }
}

/// Trains for three steps and notes everything: weights, outputs, loss, gradients.
fn trace<M: Module>(
    model: impl FnOnce(&Device) -> M,
    forward: impl Fn(&M, Tensor<4>) -> Tensor<2>,
    loss: impl Fn(&M, Tensor<2>, Tensor<1, Int>) -> Tensor<1>,
    mut step: impl FnMut(M, GradientsParams) -> M,
) -> Trace {
    let mut trace = Trace::default();
    let device = device().autodiff();
    device.seed(42);
    let mut model = model(&device);
    trace.add_all("initial weights", &model);
    let digits = digits().expect("the digits are built in");
    for number in 0..STEPS {
        let indices: Vec<_> = (0..32).map(|i| 32 * number as usize + i).collect();
        let mut batch = digits.gather(&indices).expect("there are as many");
        let image = Tensor::from_data(batch.inputs.remove(0), &device);
        let target = Tensor::from_data(batch.targets.remove(0), &device);
        // Dropout draws from here.
        device.seed(number);
        let scores = forward(&model, image);
        trace.add(&format!("scores of step {number}"), scores.to_data());
        let loss = loss(&model, scores, target);
        trace.add(&format!("loss of step {number}"), loss.to_data());
        let gradients = loss.backward();
        trace.add_gradients(&format!("gradients of step {number}"), &model, &gradients);
        let gradients = GradientsParams::from_grads(gradients, &model);
        model = step(model, gradients);
        trace.add_all(&format!("weights after step {number}"), &model);
    }
    let images = digits
        .gather(&[0, 1, 2])
        .expect("there are as many")
        .inputs
        .remove(0);
    let images = Tensor::from_data(images, &device.inner());
    trace.add(
        "scores in inference",
        forward(&model.valid(), images).into_data(),
    );
    trace
}

fn compare<C, H>(
    config: &C,
    by_hand: impl FnOnce(&Device) -> H,
    forward: impl Fn(&H, Tensor<4>) -> Tensor<2>,
) where
    C: ModelConfig,
    C::Model: Model<Config = C, Input = Tensor<4>, Output = Tensor<2>, Target = Tensor<1, Int>>,
    H: Module,
{
    let _lock = lock();
    let declared = config.init(&device()).expect("the configuration is valid");
    let mut updater = Momentum::new()
        .init(&declared)
        .expect("the declaration fits the model");
    let declared = trace(
        |device| config.init(device).expect("the configuration is valid"),
        Model::forward,
        |model, scores, target| model.loss(scores, target),
        |model, gradients| updater.step(RATE, model, gradients),
    );
    let momentum = MomentumConfig::new()
        .with_dampening(0.0)
        .with_nesterov(true);
    let mut sgd = SgdConfig::new().with_momentum(Some(momentum)).init();
    let by_hand = trace(
        by_hand,
        forward,
        |_, scores, target| kiln::loss::cross_entropy(scores, target, 0.0),
        |model, gradients| sgd.step(RATE, model, gradients),
    );
    assert_eq!(declared.0.len(), by_hand.0.len());
    for (declared, by_hand) in declared.0.iter().zip(&by_hand.0) {
        assert_eq!(declared.0, by_hand.0);
        let [declared, by_hand] =
            [declared, by_hand].map(|(what, bits)| BTreeMap::from([(what.clone(), bits.clone())]));
        assert!(
            same_training(&declared, &by_hand),
            "the {:?} differ",
            declared.keys()
        );
    }
    assert!(
        declared
            .0
            .iter()
            .any(|(what, bits)| what.starts_with("grad") && bits[0] != 0)
    );
}
