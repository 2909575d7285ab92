//! `#[derive(Model)]`: a struct of layers is the network that `model!` declares.

use kiln::layer::{Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu};
use kiln::model::Size;
use kiln::prelude::*;
use kiln_tests::{device, lock, numbers};

mod declared {
    kiln::model! {
        pub struct LeNet;
        input image: [1, 12, 12];
        let scores = image
            -> c1: conv2d(6, kernel: 5, padding: same) -> relu -> max_pool2d(2)
            -> flatten -> head: linear(10);
        output scores;
        loss cross_entropy(label_smoothing: 0.1);
    }
}

/// The same as a struct.
#[derive(Model, Debug)]
#[model(input = [1, 12, 12], loss = cross_entropy(label_smoothing: 0.1))]
pub struct LeNet {
    #[layer(conv2d(6, kernel: 5, padding: same))]
    c1: Conv2d,
    #[layer(relu)]
    a1: Relu,
    #[layer(max_pool2d(2))]
    p1: MaxPool2d,
    #[layer(flatten)]
    flat: Flatten,
    /// Documented like any field.
    #[layer(linear(10))]
    pub head: Linear,
}

#[test]
fn a_struct_of_layers_is_the_declared_network_bit_by_bit() {
    let _lock = lock();
    let device = device();
    device.seed(3);
    let derived = LeNetConfig::new().init(&device).expect("valid");
    device.seed(3);
    let declared = declared::LeNetConfig::new().init(&device).expect("valid");
    let images = Tensor::<4>::random(
        [4, 1, 12, 12],
        kiln::burn::tensor::Distribution::Default,
        &device,
    );
    let scores = [derived.forward(images.clone()), declared.forward(images)];
    let [a, b] = scores.clone().map(|scores| numbers(&scores.into_data()));
    assert_eq!(a, b);
    let targets = Tensor::<1, Int>::from_ints([0, 9, 4, 3], &device);
    let [a, b] = scores;
    assert_eq!(
        numbers(&Model::loss(&derived, a, targets.clone()).into_data()),
        numbers(&Model::loss(&declared, b, targets).into_data()),
    );
    let (a, b) = (derived.summary(), declared.summary());
    assert_eq!(a.params(), b.params());
    assert_eq!(a.multiply_adds(), b.multiply_adds());
    assert_eq!(a.layers[0].path, "c1");
}

#[test]
fn it_is_saved_and_loaded_like_any_other() {
    let _lock = lock();
    let device = device();
    let folder = kiln_tests::Folder::new("derived");
    let model = LeNetConfig::new().init(&device).expect("valid");
    model
        .save(folder.file("model.bpk"))
        .expect("it can be written");
    let loaded = LeNet::load(folder.file("model.bpk"), &device).expect("it is whole");
    let images = Tensor::<4>::ones([1, 1, 12, 12], &device);
    assert_eq!(
        numbers(&model.forward(images.clone()).into_data()),
        numbers(&loaded.forward(images).into_data()),
    );
}

/// Without a loss it is a layer of others.
#[derive(Model, Debug)]
#[model(input = [any length, 6])]
struct Rows {
    #[layer(linear(4))]
    r#in: Linear,
    #[layer(Block(4) as [length, 4])]
    block: Block,
}

mod block {
    kiln::model! {
        pub struct Block { width: usize }
        input x: [any length, width];
        let y = x -> residual { linear(width) };
        output y;
    }
}
use block::Block;

#[test]
fn a_derived_network_nests_others_and_is_a_layer() {
    let _lock = lock();
    let model = RowsConfig::new().init(&device()).expect("valid");
    assert_eq!(
        model.forward(Tensor::ones([2, 3, 6], &device())).dims(),
        [2, 3, 4]
    );
    let shape = Rows::output(&RowsConfig::new(), &[Size::Fixed(9), Size::Fixed(6)]);
    assert_eq!(shape, Ok(vec![Size::Fixed(9), Size::Fixed(4)]));
}

mod sugar {
    kiln::optimizer! {
        pub struct Momentum { momentum: f64 = 0.9, decay: f64, nesterov: bool = true }
        update sgd(momentum: momentum, weight_decay: decay, nesterov: nesterov);
        update sgd(momentum: momentum) for bias, norm;
        clip global_norm(1.0);
    }

    kiln::schedule! {
        pub struct Goyal { base: f64 = 0.1, epochs: usize }
        peak base per 256 examples;
        warmup(epochs epochs, from: 0.1) -> cosine(to: 0.01);
    }
}

/// The same as a struct.
#[derive(Optimizer, Clone, Debug, PartialEq)]
#[optimizer(
    update sgd(momentum: momentum, weight_decay: decay, nesterov: nesterov);
    update sgd(momentum: momentum) for bias, norm;
    clip global_norm(1.0);
)]
struct Momentum {
    #[optimizer(default = 0.9)]
    momentum: f64,
    /// Documented like any field.
    decay: f64,
    #[optimizer(default = true)]
    pub nesterov: bool,
}

#[derive(Schedule, Clone, Debug, PartialEq)]
#[schedule(
    peak base per 256 examples;
    warmup(epochs epochs, from: 0.1) -> cosine(to: 0.01);
)]
struct Goyal {
    #[schedule(default = 0.1)]
    base: f64,
    epochs: usize,
}

#[test]
fn a_struct_of_hyper_parameters_is_the_declaration() {
    let derived = Momentum::new(1e-4).with_momentum(0.5);
    let declared = sugar::Momentum::new(1e-4).with_momentum(0.5);
    assert_eq!(derived.recipe(), declared.recipe());
    assert_eq!(derived.to_string(), declared.to_string());
    let json = serde_json::to_string(&derived).expect("numbers are JSON");
    assert_eq!(
        serde_json::from_str::<Momentum>(&json).expect("it was written"),
        derived
    );

    let (derived, declared) = (
        Goyal::new(5).with_base(0.2),
        sugar::Goyal::new(5).with_base(0.2),
    );
    assert_eq!(derived.plan(), declared.plan());
    assert_eq!(derived.to_string(), declared.to_string());
}
