//! Optimizers against PyTorch and timm: `tests/peers/optimizers.py` recorded what they do to a small
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

/// Declarations, and what each says.
macro_rules! declared {
    ($($name:ident { $($body:tt)* })*) => {
        $(optimizer! { struct $name; $($body)* })*

        fn declared() -> Vec<(&'static str, Recipe)> {
            vec![$((stringify!($name), $name::new().recipe())),*]
        }
    };
}

declared! {
    AmsGrad { update adam(beta_2: 0.8, amsgrad: true); }
    AmsGradW { update adamw(beta_2: 0.8, amsgrad: true, weight_decay: 0.1); }
    AdaGrad { update adagrad; }
    AdaGradAll { update adagrad(lr_decay: 0.05, epsilon: 1e-3, weight_decay: 0.1); }
    RmsProp { update rmsprop(); }
    RmsPropMomentum {
        update rmsprop(alpha: 0.9, momentum: 0.8, epsilon: 1e-3, weight_decay: 0.1);
    }
    RmsPropCentered { update rmsprop(alpha: 0.9, centered: true, epsilon: 1e-3); }
    Adafactor { update adafactor(); }
    AdafactorAll {
        update adafactor(decay_rate: -0.6, epsilon_2: 0.1, clip_threshold: 1, weight_decay: 0.1);
    }
    Adan { update adan(); }
    AdanAll {
        update adan(beta_1: 0.9, beta_2: 0.8, beta_3: 0.95, epsilon: 1e-4, weight_decay: 0.1);
    }
    Lamb { update lamb(); }
    LambClipped {
        update lamb(beta_1: 0.8, beta_2: 0.95, weight_decay: 0.1);
        clip global_norm(0.5);
    }
    LambUndecayed { update lamb(epsilon: 1e-4, weight_decay: 0); }
    Lion { update lion; }
    LionAll { update lion(beta_1: 0.8, beta_2: 0.95, weight_decay: 0.3); }
    Muon {
        update muon();
        update sgd(momentum: 0.9, lr: 2.5x) for bias;
    }
    MuonAll {
        update muon(
            momentum: 0.8, nesterov: false, weight_decay: 0.5, steps: 3,
            adjust_lr: match_rms_adamw,
        );
        update sgd(momentum: 0.9) for bias;
    }
    TenTimes {
        update sgd(momentum: 0.9);
        update sgd(momentum: 0.9, lr: 10x) for bias;
    }
    TenthOfAdam {
        update sgd();
        update adamw(weight_decay: 0.1, lr: 0.1x) for bias;
    }
    LarsPlain { update lars(momentum: 0, trust_coefficient: 0.02); }
    LarsMomentum { update lars(trust_coefficient: 0.01, weight_decay: 0.01); }
    LarsNesterov { update lars(nesterov: true, trust_coefficient: 0.01, weight_decay: 0.1); }
    LarsUndecayed { update lars; }
    Larc { update lars(momentum: 0.8, trust_coefficient: 0.02, weight_decay: 0.01, clip: true); }
    LarsOfWeights {
        update lars(trust_coefficient: 0.01, weight_decay: 0.05);
        update sgd(momentum: 0.9, lr: 0.1x) for bias;
    }
    SignSgd { update sign(); }
    Signum { update sign(momentum: 0.9, weight_decay: 0.1); }
}

#[test]
fn declared_rules_are_pytorchs_and_timms_after_1_10_and_50_steps() {
    let record = record();
    let weights = record["declared"].as_object().unwrap();
    let declared = declared();
    assert_eq!(declared.len(), weights.len());
    for (name, recipe) in declared {
        let weights = &weights[name];
        agrees(&record, recipe, weights["lr"].as_f64().unwrap(), weights);
    }
}

#[test]
fn weights_are_pytorchs_after_1_10_and_50_steps() {
    let record = record();
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let rate = case["lr"].as_f64().unwrap();
        agrees(&record, recipe(case), rate, &case["weights"]);
    }
}

fn record() -> Value {
    serde_json::from_str(include_str!("../../tests/peers/optimizers.json")).unwrap()
}

/// Trains the network by `recipe`, and compares it with the weights that the record holds.
fn agrees(record: &Value, recipe: Recipe, rate: f64, weights: &Value) {
    let device = kiln::device::default_device().unwrap().autodiff();
    let x = tensor(&record["x"], [8, 3], &device);
    let y = tensor(&record["y"], [8, 2], &device);
    let mut network = network(&record["start"], &device);
    let mut updater = recipe.init(&network).unwrap();
    let mut compared = 0;
    for step in 1..=50 {
        let grads = network.loss(x.clone(), y.clone()).backward();
        let grads = GradientsParams::from_grads(grads, &network);
        network = updater.step(rate, network, grads);
        let Some(expected) = weights[step.to_string()].as_array() else {
            continue;
        };
        compared += 1;
        for (found, expected) in network.weights().iter().zip(expected) {
            for (found, expected) in found.iter().zip(numbers(expected)) {
                assert!(
                    (found - expected).abs() <= 1e-5,
                    "step {step} of {recipe}\nfound {found}, the peer has {expected}",
                    recipe = updater.recipe(),
                );
            }
        }
    }
    assert_eq!(compared, 3);
}
