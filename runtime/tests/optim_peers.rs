//! Optimizers against PyTorch: `tests/peers/optimizers.py` recorded what they do to a small
//! network, and the same network is trained here.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use kiln::optim::{Clip, Optimizer, Recipe};
use kiln::optimizer;
use serde_json::Value;

optimizer! {
    struct Sgd {
        momentum: f64 = 0,
        nesterov: bool = false,
        decay: f64 = 0,
        bias_nesterov: bool = false,
        bias_decay: f64 = 0,
    }
    update sgd(momentum: momentum, nesterov: nesterov, weight_decay: decay);
    update sgd(momentum: momentum, nesterov: bias_nesterov, weight_decay: bias_decay) for bias;
}

optimizer! {
    struct Adam { beta_1: f64, beta_2: f64, epsilon: f64, decay: f64, bias_decay: f64 }
    update adam(beta_1: beta_1, beta_2: beta_2, epsilon: epsilon, weight_decay: decay);
    update adam(beta_1: beta_1, beta_2: beta_2, epsilon: epsilon, weight_decay: bias_decay)
        for "first.bias", "s*.bias";
}

optimizer! {
    struct AdamW { beta_1: f64, beta_2: f64, epsilon: f64, decay: f64, bias_decay: f64 }
    update adamw(beta_1: beta_1, beta_2: beta_2, epsilon: epsilon, weight_decay: decay);
    update adamw(beta_1: beta_1, beta_2: beta_2, epsilon: epsilon, weight_decay: bias_decay)
        for bias;
}

optimizer! {
    struct AdamByDefault;
    update adam();
}

optimizer! {
    struct AdamWByDefault;
    update adamw;
}

#[derive(Module, Debug)]
struct Network {
    first: Linear,
    second: Linear,
}

impl Network {
    fn loss(&self, x: Tensor<2>, y: Tensor<2>) -> Tensor<1> {
        let output = self.second.forward(self.first.forward(x).tanh());
        (output - y).square().mean()
    }

    fn weights(&self) -> Vec<Vec<f32>> {
        let flat = |layer: &Linear| {
            let bias = layer.bias.as_ref().unwrap().val().into_data();
            [layer.weight.val().into_data(), bias].map(|data| data.try_into_vec().unwrap())
        };
        [flat(&self.first), flat(&self.second)].concat()
    }
}

fn numbers(value: &Value) -> Vec<f32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

fn tensor<const D: usize>(value: &Value, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers(value), shape), device)
}

fn network(start: &Value, device: &Device) -> Network {
    let layer = |weight: &Value, bias: &Value, shape: [usize; 2]| Linear {
        weight: Param::from_tensor(tensor(weight, shape, device)),
        bias: Some(Param::from_tensor(tensor(bias, [shape[1]], device))),
    };
    Network {
        first: layer(&start[0], &start[1], [3, 4]),
        second: layer(&start[2], &start[3], [4, 2]),
    }
}

/// The case in our language; PyTorch's defaults stand where it names none.
fn recipe(case: &Value) -> Recipe {
    let own = &case["arguments"];
    let biases = &case["biases"];
    let number = |key: &str, default: f64| own[key].as_f64().unwrap_or(default);
    let flag = |key: &str| own[key].as_bool().unwrap_or(false);
    let bias_flag = |key: &str| biases[key].as_bool().unwrap_or(flag(key));
    let bias_number = |key, default| biases[key].as_f64().unwrap_or(number(key, default));
    let beta = |i: usize, default: f64| own["betas"][i].as_f64().unwrap_or(default);
    let (beta_1, beta_2, epsilon) = (beta(0, 0.9), beta(1, 0.999), number("eps", 1e-8));
    let by_default = own.as_object().unwrap().is_empty();
    let mut recipe = match case["rule"].as_str().unwrap() {
        "sgd" => Sgd::new()
            .with_momentum(number("momentum", 0.0))
            .with_nesterov(flag("nesterov"))
            .with_decay(number("weight_decay", 0.0))
            .with_bias_nesterov(bias_flag("nesterov"))
            .with_bias_decay(bias_number("weight_decay", 0.0))
            .recipe(),
        "adam" if by_default => AdamByDefault::new().recipe(),
        "adamw" if by_default => AdamWByDefault::new().recipe(),
        "adam" => {
            let (decay, bias) = (
                number("weight_decay", 0.0),
                bias_number("weight_decay", 0.0),
            );
            Adam::new(beta_1, beta_2, epsilon, decay, bias).recipe()
        }
        "adamw" => {
            let (decay, bias) = (
                number("weight_decay", 0.01),
                bias_number("weight_decay", 0.01),
            );
            AdamW::new(beta_1, beta_2, epsilon, decay, bias).recipe()
        }
        other => unreachable!("the record holds a rule `{other}`"),
    };
    recipe.clip = case["max_norm"]
        .as_f64()
        .map(|max_norm| Clip::GlobalNorm { max_norm });
    recipe
}

#[test]
fn weights_are_pytorchs_after_1_10_and_50_steps() {
    let record = include_str!("../../tests/peers/optimizers.json");
    let record: Value = serde_json::from_str(record).unwrap();
    let device = kiln::device::default_device().unwrap().autodiff();
    let x = tensor(&record["x"], [8, 3], &device);
    let y = tensor(&record["y"], [8, 2], &device);
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    let mut worst = 0.0f32;
    for case in cases {
        let recipe = recipe(case);
        let mut network = network(&record["start"], &device);
        let mut updater = recipe.init(&network).unwrap();
        for step in 1..=50 {
            let grads = network.loss(x.clone(), y.clone()).backward();
            let grads = GradientsParams::from_grads(grads, &network);
            network = updater.step(case["lr"].as_f64().unwrap(), network, grads);
            let Some(expected) = case["weights"][step.to_string()].as_array() else {
                continue;
            };
            for (found, expected) in network.weights().iter().zip(expected) {
                for (found, expected) in found.iter().zip(numbers(expected)) {
                    worst = worst.max((found - expected).abs());
                    assert!(
                        (found - expected).abs() <= 1e-5,
                        "step {step} of {recipe}\nfound {found}, PyTorch {expected}",
                    );
                }
            }
        }
    }
    println!("largest difference {worst:e}");
}
