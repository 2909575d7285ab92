//! The ready networks: as large as their papers say, and able to run.

use kiln::prelude::*;
use kiln_models::{CnnConfig, LeNet5Config, MlpConfig};
use kiln_tests::device;

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
