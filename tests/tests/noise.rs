//! The layers that are random in training do what their papers say, and nothing in inference.

use kiln::burn::module::Module;
use kiln::burn::tensor::Distribution;
use kiln::layer::{
    AlphaDropoutConfig, Dropout2dConfig, GaussianNoiseConfig, RReluConfig, StochasticDepthConfig,
};
use kiln::{Device, Tensor};
use kiln_tests::{device, lock};

const SHAPE: [usize; 4] = [60, 40, 3, 5];
const P: f64 = 0.3;

fn training() -> Device {
    let device = device().autodiff();
    device.seed(7);
    device
}

fn normal(device: &Device) -> Tensor<4> {
    Tensor::random(SHAPE, Distribution::Normal(0.0, 1.0), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Asserts that `share`, measured on `n` draws, is `expected` within five standard errors.
fn assert_share(share: f64, expected: f64, n: usize) {
    let error = (expected * (1.0 - expected) / n as f64).sqrt();
    assert!((share - expected).abs() < 5.0 * error, "{share} {expected}");
}

/// Asserts that `run` multiplies each run of `size` numbers by 0 with probability `P`, else by
/// `1 / (1 - P)`, and its gradient likewise.
fn assert_drops_whole(size: usize, run: impl Fn(Tensor<4>) -> Tensor<4>) {
    let device = training();
    let input = normal(&device).require_grad();
    let output = run(input.clone());
    let gradient = input
        .grad(&output.clone().sum().backward())
        .expect("a gradient");
    let (input, output, gradient) = (numbers(input), numbers(output), numbers(gradient));
    let kept = (1.0 / (1.0 - P)) as f32;
    let mut dropped = 0;
    for (i, gradients) in gradient.chunks(size).enumerate() {
        assert!(gradients.iter().all(|g| *g == gradients[0]));
        assert!(gradients[0] == 0.0 || (gradients[0] - kept).abs() < 1e-6);
        dropped += usize::from(gradients[0] == 0.0);
        for j in i * size..(i + 1) * size {
            assert!((output[j] - input[j] * gradients[0]).abs() < 1e-6);
        }
    }
    let n = gradient.len() / size;
    assert_share(dropped as f64 / n as f64, P, n);
}

#[test]
fn dropout2d_drops_whole_channels() {
    let _lock = lock();
    let layer = Dropout2dConfig::new(P).init();
    assert_drops_whole(SHAPE[2] * SHAPE[3], |input| layer.forward(input));
}

#[test]
fn stochastic_depth_drops_whole_examples() {
    let _lock = lock();
    let layer = StochasticDepthConfig::new(P).init();
    assert_drops_whole(SHAPE[1..].iter().product(), |input| layer.forward(input));
}

#[test]
fn alpha_dropout_keeps_mean_and_variance() {
    let _lock = lock();
    let device = training();
    let input = normal(&device);
    let output = AlphaDropoutConfig::new(P).init().forward(input.clone());
    // PyTorch's formula, written as it stands there.
    let alpha = 1.758_099_340_847_376_6_f64;
    let a = ((alpha * alpha * P + 1.0) * (1.0 - P)).powf(-0.5);
    let b = alpha * a * P;
    let dropped = (b - alpha * a) as f32;
    let (input, output) = (numbers(input), numbers(output));
    let mut count = 0;
    for (x, y) in input.iter().zip(&output) {
        let kept = x * a as f32 + b as f32;
        assert!((y - dropped).abs() < 1e-6 || (y - kept).abs() < 1e-5);
        count += usize::from((y - dropped).abs() < 1e-6);
    }
    let n = output.len() as f64;
    assert_share(count as f64 / n, P, output.len());
    let mean = output.iter().map(|y| f64::from(*y)).sum::<f64>() / n;
    let variance = output.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / n - mean * mean;
    assert!(mean.abs() < 5.0 / n.sqrt(), "{mean}");
    assert!((variance - 1.0).abs() < 10.0 / n.sqrt(), "{variance}");
}

#[test]
fn gaussian_noise_has_its_deviation() {
    let _lock = lock();
    let device = training();
    let input = normal(&device);
    let output = GaussianNoiseConfig::new(0.2).init().forward(input.clone());
    let noise = numbers(output - input);
    let n = noise.len() as f64;
    let mean = noise.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = noise.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n;
    assert!(mean.abs() < 5.0 * 0.2 / n.sqrt(), "{mean}");
    assert!(
        (variance / 0.04 - 1.0).abs() < 10.0 / n.sqrt(),
        "{variance}"
    );
}

#[test]
fn rrelu_draws_a_slope_for_each_negative_number() {
    let _lock = lock();
    let device = training();
    let input = normal(&device).require_grad();
    let layer = RReluConfig::new().with_lower(0.1).with_upper(0.3).init();
    let output = layer.forward(input.clone());
    let gradient = input
        .grad(&output.clone().sum().backward())
        .expect("a gradient");
    let (input, output, gradient) = (numbers(input), numbers(output), numbers(gradient));
    let (mut slopes, mut negatives) = (0.0, 0);
    for ((x, y), slope) in input.iter().zip(&output).zip(&gradient) {
        assert!((y - x * slope).abs() < 1e-6);
        if *x > 0.0 {
            assert_eq!(*slope, 1.0);
        } else {
            assert!((0.1..=0.3).contains(slope), "{slope}");
            slopes += f64::from(*slope);
            negatives += 1;
        }
    }
    let error = 0.2 / 12f64.sqrt() / f64::from(negatives).sqrt();
    assert!((slopes / f64::from(negatives) - 0.2).abs() < 5.0 * error);
}

#[test]
fn nothing_is_random_in_inference_or_in_a_frozen_layer() {
    let _lock = lock();
    let input = normal(&device());
    let expected = input.to_data();
    let outputs = [
        Dropout2dConfig::new(P).init().forward(input.clone()),
        StochasticDepthConfig::new(P).init().forward(input.clone()),
        AlphaDropoutConfig::new(P).init().forward(input.clone()),
        GaussianNoiseConfig::new(P).init().forward(input),
    ];
    for output in outputs {
        assert_eq!(output.into_data(), expected);
    }
    let input = Tensor::from_data(expected.clone(), &training());
    let outputs: [Tensor<4>; 4] = [
        Dropout2dConfig::new(P)
            .init()
            .freeze()
            .forward(input.clone()),
        StochasticDepthConfig::new(P)
            .init()
            .freeze()
            .forward(input.clone()),
        AlphaDropoutConfig::new(P)
            .init()
            .freeze()
            .forward(input.clone()),
        GaussianNoiseConfig::new(P).init().freeze().forward(input),
    ];
    for output in outputs {
        assert_eq!(output.into_data(), expected);
    }
}
