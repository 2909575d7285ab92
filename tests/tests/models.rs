//! The ready networks: as large as their papers say, and able to run.

use kiln::prelude::*;
use kiln_models::*;
use kiln_tests::{device, lock, numbers};

/// Weights and biases of a dense layer.
fn dense(inputs: usize, outputs: usize) -> usize {
    inputs * outputs + outputs
}

/// Weights and biases of a convolution.
fn conv(inputs: usize, outputs: usize, kernel: usize) -> usize {
    inputs * outputs * kernel * kernel + outputs
}

/// The parameter count is `expected` in the summary and in the network itself, and a batch of two
/// gives two rows of scores.
fn holds<C>(config: &C, size: usize, classes: usize, expected: usize)
where
    C: ModelConfig,
    C::Model: Model<Config = C, Input = Tensor<4>, Output = Tensor<2>>,
{
    let model = config.init(&device()).expect("the configuration is valid");
    assert_eq!(model.summary().params(), expected, "{}", model.summary());
    assert_eq!(model.num_params(), expected);
    let scores = Model::forward(&model, Tensor::zeros([2, 1, size, size], &device()));
    assert_eq!(scores.dims(), [2, classes]);
}

#[test]
fn the_perceptron_has_535818_parameters() {
    let expected = dense(784, 512) + dense(512, 256) + dense(256, 10);
    assert_eq!(expected, 535_818);
    holds(&MlpConfig::new(), 28, 10, expected);
}

#[test]
fn the_convolutional_network_has_206922_parameters() {
    let expected = conv(1, 16, 3) + conv(16, 32, 3) + dense(32 * 7 * 7, 128) + dense(128, 10);
    assert_eq!(expected, 206_922);
    holds(&CnnConfig::new(), 28, 10, expected);
}

#[test]
fn lenet_5_has_61706_parameters() {
    let dense_part = dense(16 * 5 * 5, 120) + dense(120, 84) + dense(84, 10);
    let expected = conv(1, 6, 5) + conv(6, 16, 5) + dense_part;
    assert_eq!(expected, 61_706);
    holds(&LeNet5Config::new(), 28, 10, expected);
}

#[test]
fn hyper_parameters_change_what_they_name() {
    let mlp = MlpConfig::new()
        .with_size(8)
        .with_hidden_1(32)
        .with_hidden_2(16)
        .with_classes(3);
    holds(&mlp, 8, 3, dense(64, 32) + dense(32, 16) + dense(16, 3));
    // 9 pixels are 4 after the first pooling and 2 after the second.
    let cnn = CnnConfig::new()
        .with_size(9)
        .with_hidden(20)
        .with_classes(4);
    holds(
        &cnn,
        9,
        4,
        conv(1, 16, 3) + conv(16, 32, 3) + dense(32 * 4, 20) + dense(20, 4),
    );
    let lenet = LeNet5Config::new().with_size(12).with_classes(7);
    let dense_part = dense(16, 120) + dense(120, 84) + dense(84, 7);
    holds(&lenet, 12, 7, conv(1, 6, 5) + conv(6, 16, 5) + dense_part);
}

#[test]
fn an_image_that_is_too_small_is_an_error() {
    assert!(CnnConfig::new().with_size(3).init(&device()).is_err());
    assert!(LeNet5Config::new().with_size(11).init(&device()).is_err());
    assert!(MlpConfig::new().with_size(0).init(&device()).is_err());
}

/// The parameters of `config`, worked out without allocating them.
fn params<C: ModelConfig>(config: &C) -> usize {
    config.summary().expect("valid").params()
}

#[test]
fn the_published_networks_have_their_published_numbers_of_parameters() {
    // torchvision's documentation.
    assert_eq!(params(&Vgg16Config::new()), 138_357_544);
    assert_eq!(params(&ResNet18Config::new()), 11_689_512);
    assert_eq!(params(&ResNet34Config::new()), 21_797_672);
    assert_eq!(params(&ResNet50Config::new()), 25_557_032);
    // Caffe's AlexNet; the norms of LARS's have a scale and a shift for each channel.
    let channels = 96 + 256 + 384 + 384 + 256;
    assert_eq!(params(&AlexNetConfig::new()), 60_965_224 + 2 * channels);
    // ViT-B/16 of torchvision.
    assert_eq!(params(&VitConfig::new()), 86_567_656);
    // Akamaster's count of He et al.'s networks for CIFAR, their 0.27 and 0.85 million.
    assert_eq!(params(&CifarResNetConfig::new()), 269_722);
    assert_eq!(params(&CifarResNetConfig::new().with_blocks(9)), 853_018);
    // nanoGPT's character model, whose last layer has the embedding's weights.
    assert_eq!(params(&CharTransformerConfig::new()), 10_745_088 + 65 * 384);
    let gates = 4 * (128 * (128 + 128) + 2 * 128);
    assert_eq!(
        params(&LstmClassifierConfig::new()),
        20_000 * 128 + gates + 2 * 128 + 2
    );
    // Table 5 of Zagoruyko and Komodakis: 36.5, 17.1, 8.9 and 11.0 million.
    let wide = |depth, widen| params(&WideResNetConfig::new().with_depth(depth).with_widen(widen));
    assert_eq!(wide(28, 10), 36_479_194);
    for (depth, widen, millions) in [(22, 8, 17.2), (40, 4, 8.9), (16, 8, 11.0)] {
        let found = wide(depth, widen) as f64 / 1e6;
        assert!((found - millions).abs() < 0.06, "{depth} {widen}: {found}");
    }
}

#[test]
fn keskars_networks_have_the_sizes_of_their_paper() {
    let norm = |features: usize| 2 * features;
    let f = |inputs, layers: usize, classes| {
        let hidden = dense(512, 512) + norm(512);
        dense(inputs, 512) + norm(512) + (layers - 1) * hidden + dense(512, classes)
    };
    assert_eq!(params(&KeskarFConfig::new()), f(784, 5, 10));
    let f2 = KeskarFConfig::new()
        .with_inputs(360)
        .with_layers(7)
        .with_classes(1973);
    assert_eq!(params(&f2), f(360, 7, 1973));
    let c1 = |classes| {
        let maps = conv(3, 64, 5) + norm(64) + conv(64, 64, 5) + norm(64);
        let hidden = dense(64 * 8 * 8, 384) + norm(384) + dense(384, 192) + norm(192);
        maps + hidden + dense(192, classes)
    };
    assert_eq!(params(&KeskarC1Config::new()), c1(10));
    assert_eq!(params(&KeskarC1Config::new().with_classes(100)), c1(100));
    let stacks = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];
    let layers = stacks
        .into_iter()
        .flat_map(|(count, out)| std::iter::repeat_n(out, count));
    let mut from = 3;
    let maps: usize = layers
        .map(|out| {
            let layer = conv(from, out, 3) + norm(out);
            from = out;
            layer
        })
        .sum();
    let c2 = maps + dense(512, 512) + norm(512) + dense(512, 10);
    assert_eq!(params(&KeskarC2Config::new()), c2);
}

#[test]
fn small_versions_of_the_deep_networks_run() {
    let runs = |scores: Tensor<2>, classes| assert_eq!(scores.dims(), [2, classes]);
    let images = |size| Tensor::<4>::ones([2, 3, size, size], &device());
    let device = device();
    let resnet = ResNet18Config::new()
        .with_width(4)
        .with_size(33)
        .with_classes(7);
    runs(resnet.init(&device).expect("valid").forward(images(33)), 7);
    let resnet = ResNet34Config::new()
        .with_width(2)
        .with_size(32)
        .with_classes(3);
    runs(resnet.init(&device).expect("valid").forward(images(32)), 3);
    let resnet = ResNet50Config::new()
        .with_width(4)
        .with_size(40)
        .with_classes(3);
    runs(resnet.init(&device).expect("valid").forward(images(40)), 3);
    let vgg = Vgg16Config::new()
        .with_width(4)
        .with_size(32)
        .with_hidden(8)
        .with_classes(5);
    runs(vgg.init(&device).expect("valid").forward(images(32)), 5);
    let alexnet = AlexNetConfig::new()
        .with_size(67)
        .with_hidden(8)
        .with_classes(5);
    runs(alexnet.init(&device).expect("valid").forward(images(67)), 5);
    let wide = WideResNetConfig::new()
        .with_depth(10)
        .with_widen(1)
        .with_size(9);
    runs(wide.init(&device).expect("valid").forward(images(9)), 10);
    let c1 = KeskarC1Config::new().with_size(8);
    runs(c1.init(&device).expect("valid").forward(images(8)), 10);
    let c2 = KeskarC2Config::new().with_classes(100);
    runs(c2.init(&device).expect("valid").forward(images(32)), 100);
    let f = KeskarFConfig::new().with_inputs(6).with_layers(3);
    runs(
        f.init(&device)
            .expect("valid")
            .forward(Tensor::ones([2, 6], &device)),
        10,
    );
}

#[test]
fn the_shortcut_without_parameters_takes_every_other_pixel_and_adds_zeros() {
    let _lock = lock();
    let net = CifarResNetConfig::new()
        .with_blocks(1)
        .with_width(2)
        .with_size(6);
    let net = net.init(&device()).expect("valid");
    assert!(
        net.summary()
            .layers
            .iter()
            .all(|layer| !layer.path.contains("shortcut") || layer.params == 0)
    );
    assert_eq!(
        net.forward(Tensor::ones([2, 3, 6, 6], &device())).dims(),
        [2, 10]
    );
}

#[test]
fn small_versions_of_the_sequence_networks_run() {
    let _lock = lock();
    let device = device();
    let vit = VitConfig::new()
        .with_size(12)
        .with_channels(1)
        .with_patch(4)
        .with_dim(8);
    let vit = vit
        .with_layers(2)
        .with_heads(2)
        .with_hidden(16)
        .with_classes(5);
    let vit = vit.init(&device).expect("valid");
    assert_eq!(
        vit.forward(Tensor::ones([2, 1, 12, 12], &device)).dims(),
        [2, 5]
    );
    let text = CharTransformerConfig::new()
        .with_vocabulary(9)
        .with_context(7)
        .with_dim(8);
    let text = text
        .with_layers(2)
        .with_heads(2)
        .init(&device)
        .expect("valid");
    for length in [1, 4, 7] {
        let characters = Tensor::<2, Int>::zeros([3, length], &device);
        assert_eq!(text.forward(characters).dims(), [3, length, 9]);
    }
    let lstm = LstmClassifierConfig::new()
        .with_vocabulary(9)
        .with_dim(4)
        .with_hidden(3)
        .with_layers(2);
    let lstm = lstm.init(&device).expect("valid");
    assert_eq!(
        lstm.forward(Tensor::<2, Int>::ones([2, 6], &device)).dims(),
        [2, 2]
    );
}

#[test]
fn a_character_is_predicted_from_those_before_it_alone() {
    let _lock = lock();
    let device = device();
    let text = CharTransformerConfig::new()
        .with_vocabulary(9)
        .with_context(6)
        .with_dim(8);
    let text = text
        .with_layers(2)
        .with_heads(2)
        .init(&device)
        .expect("valid");
    let first = text.forward(Tensor::from_ints([[1, 2, 3, 4, 5]], &device));
    let second = text.forward(Tensor::from_ints([[1, 2, 3, 8, 0]], &device));
    let prefix = |scores: Tensor<3>| numbers(&scores.slice([0..1, 0..3]).into_data());
    assert_eq!(prefix(first), prefix(second));
}
