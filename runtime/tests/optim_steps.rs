//! What stands beside the update rules, in a loop by hand: against PyTorch, whose numbers
//! `tests/peers/steps.py` recorded, and against closed forms.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Bytes, Device, Tensor, TensorData};
use kiln::optim::{
    Average, Noise, Optimizer, OptimizerError, Recipe, Sharpness, Updater, UpdaterRecord,
};
use kiln::optimizer;
use kiln::schedule::Horizon;
use serde_json::Value;

#[derive(Module, Debug)]
struct Network {
    first: Linear,
    second: Linear,
}

impl Network {
    fn gradient(&self, x: &Tensor<2>, y: &Tensor<2>, pieces: usize) -> GradientsParams {
        let mut sum = burn::optim::GradientsAccumulator::new();
        for (x, y) in x
            .clone()
            .chunk(pieces, 0)
            .into_iter()
            .zip(y.clone().chunk(pieces, 0))
        {
            let output = self.second.forward(self.first.forward(x).tanh());
            let loss = (output - y).square().mean() / pieces as f64;
            sum.accumulate(self, GradientsParams::from_grads(loss.backward(), self));
        }
        sum.grads()
    }
}

/// One step with all that the recipe asks for.
fn step<M: Module>(
    updater: &mut Updater,
    lr: f64,
    model: M,
    gradient: impl Fn(&M) -> GradientsParams,
) -> M {
    let mut grads = gradient(&model);
    if let Some(worse) = updater.ascend(&model, &grads) {
        grads = gradient(&worse);
    }
    updater.step(lr, model, grads)
}

/// Every parameter and running statistic, in order.
fn values<M: Module>(model: &M) -> Vec<Vec<f32>> {
    struct Values(Vec<Vec<f32>>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.val().into_data().try_into_vec().unwrap());
        }
    }
    let mut values = Values(Vec::new());
    // `valid` takes over running statistics that wait to be.
    model.valid().visit(&mut values);
    values.0
}

fn bits<M: Module>(model: &M) -> Vec<Vec<u32>> {
    let values = values(model).into_iter();
    values
        .map(|values| values.into_iter().map(f32::to_bits).collect())
        .collect()
}

/// Whether two runs have the same bits; on wgpu, where equal bits are not promised, nearly the same
/// numbers.
fn same(a: &[Vec<u32>], b: &[Vec<u32>]) -> bool {
    if kiln::device::name(&device()) != "wgpu" {
        return a == b;
    }
    let close = |(a, b): (&u32, &u32)| {
        let [a, b] = [a, b].map(|bits| f32::from_bits(*bits));
        (a - b).abs() < 2e-2 * (1.0 + b.abs())
    };
    let all = |(a, b): (&Vec<u32>, &Vec<u32>)| a.len() == b.len() && a.iter().zip(b).all(close);
    a.len() == b.len() && a.iter().zip(b).all(all)
}

fn device() -> Device {
    kiln::device::default_device().unwrap().autodiff()
}

/// Burn's CPU devices have one random stream in a program.
fn lock() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    LOCK.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn numbers(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().unwrap().iter();
    numbers
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

fn tensor<const D: usize>(value: &Value, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers(value), shape), device)
}

fn layer(weight: &Value, bias: &Value, shape: [usize; 2], device: &Device) -> Linear {
    Linear {
        weight: Param::from_tensor(tensor(weight, shape, device)),
        bias: Some(Param::from_tensor(tensor(bias, [shape[1]], device))),
    }
}

fn network(start: &Value, device: &Device) -> Network {
    Network {
        first: layer(&start[0], &start[1], [3, 4], device),
        second: layer(&start[2], &start[3], [4, 2], device),
    }
}

/// The largest difference of a number from those recorded.
fn off(found: &[Vec<f32>], expected: &Value) -> f32 {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    let mut worst = 0.0f32;
    for (found, expected) in found.iter().zip(expected) {
        let expected = numbers(expected);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let off = (found - expected).abs();
            worst = if off.is_nan() {
                f32::INFINITY
            } else {
                worst.max(off)
            };
        }
    }
    worst
}

fn record() -> Value {
    serde_json::from_str(include_str!("../../tests/peers/steps.json")).unwrap()
}

#[test]
fn weights_and_averages_are_the_references_over_50_steps() {
    let record = record();
    let device = device();
    let x = tensor(&record["x"], [8, 3], &device);
    let y = tensor(&record["y"], [8, 2], &device);
    let horizon = Horizon {
        steps: 50,
        steps_per_epoch: 10,
        batch: 8,
    };
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    let mut worst = 0.0f32;
    for case in cases {
        let recipe: Recipe = serde_json::from_value(case["recipe"].clone()).unwrap();
        let pieces = case["pieces"].as_u64().unwrap() as usize;
        let lr = case["lr"].as_f64().unwrap();
        let mut model = network(&record["start"], &device);
        let mut updater = recipe.over(&model, &horizon).unwrap();
        for done in 1..=50 {
            model = step(&mut updater, lr, model, |model| {
                model.gradient(&x, &y, pieces)
            });
            let expected = &case["weights"][done.to_string()];
            if !expected.is_null() {
                let off = off(&values(&model), expected);
                worst = worst.max(off);
                assert!(off <= 1e-5, "step {done} of\n{recipe}\nis off by {off:e}");
            }
        }
        let averaged = updater.averaged(&model);
        // The record leaves out lookahead's.
        assert_eq!(averaged.is_some(), !updater.recipe().average.is_empty());
        if let Some(averaged) = averaged.filter(|_| !case["averaged"].is_null()) {
            let off = off(&values(&averaged), &case["averaged"]);
            worst = worst.max(off);
            assert!(off <= 1e-5, "the average of\n{recipe}\nis off by {off:e}");
        }
    }
    println!("largest difference {worst:e}");
}

fn recipe(change: impl FnOnce(&mut Recipe)) -> Recipe {
    let mut recipe = Momentum::new().recipe();
    change(&mut recipe);
    recipe
}

optimizer! {
    struct Momentum;
    update sgd(momentum: 0.9);
}

optimizer! {
    struct Sam { rho: f64 = 0.05 }
    update sgd(momentum: 0.9);
    sharpness sam(rho: rho);
}

optimizer! {
    struct Asam { rho: f64 = 0.5 }
    update sgd(momentum: 0.9);
    sharpness asam(rho: rho);
}

/// With running statistics and with random numbers.
#[derive(Module, Debug)]
struct Normalised {
    first: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    second: Linear,
}

impl Normalised {
    fn new(device: &Device) -> Self {
        Normalised {
            first: LinearConfig::new(3, 4).init(device),
            norm: BatchNormConfig::new(4).init(device),
            dropout: DropoutConfig::new(0.5).init(),
            second: LinearConfig::new(4, 2).init(device),
        }
    }

    fn gradient(&self, x: &Tensor<2>, y: &Tensor<2>) -> GradientsParams {
        let hidden = self.norm.forward(self.first.forward(x.clone()));
        let output = self.second.forward(self.dropout.forward(hidden.tanh()));
        let loss = (output - y.clone()).square().mean();
        GradientsParams::from_grads(loss.backward(), self)
    }
}

fn examples(device: &Device) -> (Tensor<2>, Tensor<2>) {
    let record = record();
    (
        tensor(&record["x"], [8, 3], device),
        tensor(&record["y"], [8, 2], device),
    )
}

#[test]
fn the_second_pass_moves_no_running_statistic_and_no_weight() {
    let _lock = lock();
    let device = device();
    let (x, y) = examples(&device);
    let model = Normalised::new(&device);
    // Two models with the same numbers and running statistics of their own.
    let (plain, sam) = (model.valid().train(), model.valid().train());
    for recipe in [Sam::new().recipe(), Asam::new().recipe()] {
        let updater = recipe.init(&sam).unwrap();
        device.seed(1);
        let grads = plain.gradient(&x, &y);
        drop(grads);
        device.seed(1);
        let grads = sam.gradient(&x, &y);
        let worse = updater.ascend(&sam, &grads).unwrap();
        worse.gradient(&x, &y);
        worse.gradient(&x, &y);
        assert_ne!(bits(&worse), bits(&plain));
        // Weights and statistics are those of one clean pass.
        assert_eq!(bits(&sam), bits(&plain));
    }
}

#[test]
fn a_gradient_of_zero_leads_nowhere_and_is_no_nan() {
    let device = device();
    let record = record();
    let mut model = network(&record["start"], &device);
    let start = bits(&model);
    let zero = |model: &Network| {
        let zero = model.first.weight.val().sum() * 0.0 + model.second.weight.val().sum() * 0.0;
        GradientsParams::from_grads(zero.backward(), model)
    };
    for recipe in [
        Sam::new().with_rho(2.0).recipe(),
        Asam::new().with_rho(2.0).recipe(),
    ] {
        let mut updater = recipe.init(&model).unwrap();
        let worse = updater.ascend(&model, &zero(&model)).unwrap();
        assert_eq!(bits(&worse), start, "{recipe}");
        model = step(&mut updater, 0.1, model, zero);
        assert_eq!(bits(&model), start, "{recipe}");
    }
}

#[test]
fn the_ascent_has_the_length_rho_and_leaves_out_what_is_frozen() {
    let device = device();
    let record = record();
    let (x, y) = examples(&device);
    let mut model = network(&record["start"], &device);
    model.first = model.first.no_grad();
    let updater = Sam::new().with_rho(0.3).init(&model).unwrap();
    let worse = updater.ascend(&model, &model.gradient(&x, &y, 1)).unwrap();
    let (before, after) = (values(&model), values(&worse));
    assert_eq!(before[..2], after[..2]);
    let squares = before[2..]
        .iter()
        .flatten()
        .zip(after[2..].iter().flatten());
    let length: f32 = squares.map(|(a, b)| (a - b).powi(2)).sum();
    assert!((length.sqrt() - 0.3).abs() < 1e-6, "{}", length.sqrt());
}

/// A gradient of 0 for all of 40,000 numbers, and one frozen layer.
fn quiet(device: &Device) -> (Network, GradientsParams) {
    let model = Network {
        first: LinearConfig::new(200, 200).with_bias(false).init(device),
        second: LinearConfig::new(2, 2).init(device).no_grad(),
    };
    let zero = model.first.weight.val() * 0.0;
    let grads = GradientsParams::from_grads(zero.sum().backward(), &model);
    (model, grads)
}

optimizer! {
    struct Noisy { eta: f64, gamma: f64 = 0.55 }
    update sgd();
    noise gaussian(eta: eta, gamma: gamma);
}

#[test]
fn noise_has_mean_0_and_the_variance_of_the_paper() {
    let _lock = lock();
    let device = device();
    device.seed(5);
    let (mut model, _) = quiet(&device);
    let frozen = values(&model.second);
    for gamma in [0.0, 0.55] {
        let mut updater = Noisy::new(0.3).with_gamma(gamma).init(&model).unwrap();
        for t in 0..12 {
            let before = values(&model.first);
            let zero = model.first.weight.val() * 0.0;
            let grads = GradientsParams::from_grads(zero.sum().backward(), &model);
            model = updater.step(1.0, model, grads);
            let after = values(&model.first);
            let moves = before[0].iter().zip(&after[0]);
            let moves: Vec<f64> = moves.map(|(a, b)| f64::from(b - a)).collect();
            let count = moves.len() as f64;
            let mean = moves.iter().sum::<f64>() / count;
            let variance = moves.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / count;
            let expected = 0.3 / (1.0 + f64::from(t)).powf(gamma);
            // Five standard errors: √(σ²/n) of a mean, σ²√(2/n) of a variance.
            assert!(
                mean.abs() < 5.0 * (expected / count).sqrt(),
                "step {t}: {mean}"
            );
            let error = 5.0 * expected * (2.0 / count).sqrt();
            assert!(
                (variance - expected).abs() < error,
                "step {t}: {variance}, expected {expected} to {error}"
            );
        }
    }
    assert_eq!(values(&model.second), frozen);
}

#[test]
fn noise_is_the_same_for_the_same_seed_and_comes_after_the_clip() {
    let _lock = lock();
    let device = device();
    let (model, _) = quiet(&device);
    let run = |seed| {
        let mut recipe = Noisy::new(1.0).recipe();
        recipe.clip = Some(kiln::optim::Clip::GlobalNorm { max_norm: 1e-3 });
        let mut updater = recipe.init(&model).unwrap();
        let zero = model.first.weight.val() * 0.0;
        let grads = GradientsParams::from_grads(zero.sum().backward(), &model);
        device.seed(seed);
        let moved = updater.step(1.0, model.clone(), grads);
        (bits(&moved), values(&moved))
    };
    let ((first, values), (again, _), (other, _)) = (run(1), run(1), run(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    // A clip behind the noise would have left a length of 1e-3.
    let length: f32 = values[0].iter().map(|x| x * x).sum();
    assert!(length > 1e3);
}

optimizer! {
    struct Everything;
    update adam();
    update sgd(momentum: 0.9, lr: 10x) for bias;
    clip global_norm(1.0);
    noise gaussian(eta: 0.01);
    sharpness sam(rho: 0.1);
    average lookahead(k: 3, alpha: 0.5);
    average swa(from: 8 steps, every: 2 steps);
    switch at 6 steps to sgd(momentum: 0.9, lr: 10x);
    switch at 6 steps to adam() for bias;
}

optimizer! {
    struct Smooth;
    update adam();
    average ema(decay: 0.8);
    average lookahead(k: 4);
    switch at 50 % to sgd(momentum: 0.9, lr: 10x);
}

#[test]
fn a_run_resumed_after_any_step_has_the_bits_of_one_that_went_on() {
    let _lock = lock();
    let device = device();
    let (x, y) = examples(&device);
    let horizon = Horizon {
        steps: 14,
        steps_per_epoch: 7,
        batch: 8,
    };
    let first = Normalised::new(&device);
    for recipe in [Everything::new().recipe(), Smooth::new().recipe()] {
        let go = |updater: &mut Updater, model: Normalised| {
            device.seed(updater.steps());
            step(updater, 0.01, model, |model| model.gradient(&x, &y))
        };
        let mut model = first.valid().train();
        let mut updater = recipe.over(&model, &horizon).unwrap();
        let mut saved = Vec::new();
        for _ in 0..14 {
            let record = updater.to_record().into_bytes().unwrap();
            saved.push((model.valid().into_record().into_bytes().unwrap(), record));
            model = go(&mut updater, model);
        }
        let averaged = bits(&updater.averaged(&model).unwrap());
        for (steps, (weights, record)) in saved.into_iter().enumerate() {
            // Another model with other numbers, identities and averages.
            let fresh = Normalised::new(&device);
            let resumed = recipe.over(&fresh, &horizon).unwrap();
            let record = UpdaterRecord::from_bytes(record).unwrap();
            let mut resumed = resumed.load_record(record).unwrap();
            assert_eq!(resumed.steps(), steps as u64);
            let weights = burn::store::ModuleRecord::from_bytes(weights).unwrap();
            let mut fresh = fresh.load_record(weights).valid().train();
            for _ in steps..14 {
                fresh = go(&mut resumed, fresh);
            }
            assert!(
                same(&bits(&fresh), &bits(&model)),
                "{recipe}\nafter {steps} steps"
            );
            assert!(
                same(&bits(&resumed.averaged(&fresh).unwrap()), &averaged),
                "{recipe}\nthe average, after {steps} steps"
            );
        }
    }
}

#[test]
fn a_damaged_or_foreign_record_is_refused_whole() {
    let _lock = lock();
    let device = device();
    let (x, y) = examples(&device);
    let model = Normalised::new(&device);
    let mut updater = Smooth::new()
        .recipe()
        .over(
            &model,
            &Horizon {
                steps: 14,
                steps_per_epoch: 7,
                batch: 8,
            },
        )
        .unwrap();
    let model = step(&mut updater, 0.01, model, |model| model.gradient(&x, &y));
    let bytes = updater.to_record().into_bytes().unwrap().to_vec();
    let read = |bytes: Vec<u8>| UpdaterRecord::from_bytes(Bytes::from_bytes_vec(bytes));
    let go = |updater: &mut Updater| {
        device.seed(1);
        let model = model.valid().train();
        let moved = step(updater, 0.01, model, |model| model.gradient(&x, &y));
        (bits(&moved), bits(&updater.averaged(&moved).unwrap()))
    };
    let expected = go(&mut updater.clone());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        // A byte between two tensors is nobody's.
        if let Ok(record) = read(damaged) {
            let mut resumed = updater.clone().load_record(record).unwrap();
            let next = go(&mut resumed);
            assert!(next == expected, "byte {at}");
        }
    }
    for length in (0..bytes.len()).step_by(7) {
        assert!(read(bytes[..length].to_vec()).is_err(), "{length} bytes");
    }
    let others = model.valid().into_record().into_bytes().unwrap();
    let error = read(others.to_vec()).unwrap_err();
    assert!(matches!(error, OptimizerError::Damaged { .. }), "{error}");
    // Of another recipe, and of another model.
    let none = Momentum::new().init(&model).unwrap();
    for into in [
        none,
        recipe(|recipe| recipe.average.push(Average::Ema { decay: 0.5 }))
            .init(&network(&record()["start"], &device))
            .unwrap(),
    ] {
        let record = read(bytes.clone()).unwrap();
        let error = into.load_record(record).unwrap_err();
        assert!(matches!(error, OptimizerError::Foreign { .. }), "{error}");
    }
}

#[test]
fn times_need_a_horizon_and_lie_within_it() {
    let _lock = lock();
    let device = device();
    let model = LinearConfig::new(2, 2).init(&device);
    let horizon = |steps| Horizon {
        steps,
        steps_per_epoch: 2,
        batch: 1,
    };
    let refused = |recipe: &Recipe, steps| recipe.over(&model, &horizon(steps)).unwrap_err();
    let all = Everything::new().recipe();
    let error = all.init(&model).unwrap_err();
    assert!(matches!(error, OptimizerError::NoHorizon { .. }));
    assert_eq!(
        error.to_string(),
        "`average swa(from: 8 steps, every: 2 steps)` depends on how long training is; use \
         `over(&model, &horizon)` in place of `init(&model)`, or a `Trainer`, which does"
    );
    assert!(all.over(&model, &horizon(8)).is_ok());
    assert_eq!(
        refused(&all, 7).to_string(),
        "`from` must lie within the 7 steps of training, found step 8, in \
         `average swa(from: 8 steps, every: 2 steps)`"
    );
    let error = refused(&all, 6).to_string();
    assert!(
        error.starts_with("`at` must lie before the end of training after 6 steps"),
        "{error}"
    );
    // 75 % of 8 steps are the same step.
    let mut falling = all.clone();
    falling.average.clear();
    falling.switches[1].at = kiln::schedule::Time::Percent(75.0);
    falling.switches[1].rule.targets.clear();
    let error = refused(&falling, 8).to_string();
    assert!(
        error.contains("which hold from step 6 on, found step 6; rules of one moment"),
        "{error}"
    );
    // A stage begins with a rule for all.
    let mut partial = all.clone();
    partial.switches.remove(0);
    let error = refused(&partial, 8);
    assert!(matches!(error, OptimizerError::NoDefault { .. }), "{error}");
    let mut twice = all;
    twice.average.push(Average::Ema { decay: 0.5 });
    assert_eq!(refused(&twice, 8), OptimizerError::Averages);
}

#[test]
fn burns_own_optimizer_cannot_do_any_of_it() {
    let _lock = lock();
    let device = device();
    let model = LinearConfig::new(2, 2).init(&device);
    let beside: [(&str, Recipe); 4] = [
        (
            "sharpness sam(rho: 0.1)",
            recipe(|recipe| recipe.sharpness = Some(Sharpness::Sam { rho: 0.1 })),
        ),
        (
            "noise gaussian(eta: 1, gamma: 0)",
            recipe(|recipe| {
                recipe.noise = Some(Noise::Gaussian {
                    eta: 1.0,
                    gamma: 0.0,
                });
            }),
        ),
        (
            "average ema(decay: 0.5)",
            recipe(|recipe| recipe.average.push(Average::Ema { decay: 0.5 })),
        ),
        (
            "switch at 50 % to sgd(momentum: 0.9, nesterov: false, weight_decay: 0, lr: 10x)",
            recipe(|recipe| recipe.switches = Smooth::new().recipe().switches),
        ),
    ];
    for (statement, recipe) in beside {
        let statement = statement.into();
        let error = recipe.module_optimizer(&model).err().unwrap();
        assert_eq!(error, OptimizerError::NotInBurn { statement });
    }
}

#[test]
fn slow_weights_follow_what_is_trained_and_nothing_else() {
    let _lock = lock();
    let device = device();
    let (x, y) = examples(&device);
    let mut model = Normalised::new(&device);
    model.second = model.second.no_grad();
    let plain = model.valid().train();
    let look = recipe(|recipe| {
        recipe
            .average
            .push(Average::Lookahead { k: 1, alpha: 0.25 })
    });
    let mut slow = look.init(&model).unwrap();
    let mut fast = Momentum::new().init(&plain).unwrap();
    let start = values(&model);
    let go = |updater: &mut Updater, model: Normalised| {
        device.seed(3);
        step(updater, 0.1, model, |model| model.gradient(&x, &y))
    };
    let (slow, fast) = (values(&go(&mut slow, model)), values(&go(&mut fast, plain)));
    // first.weight, first.bias, gamma, beta, running mean and variance, second.
    for place in 0..8 {
        for ((slow, fast), start) in slow[place].iter().zip(&fast[place]).zip(&start[place]) {
            let expected = match place {
                0..4 => start + 0.25 * (fast - start),
                _ => *fast,
            };
            assert!(
                (slow - expected).abs() <= 1e-7,
                "{place}: {slow}, {expected}"
            );
        }
    }
}

/// Algorithm 1 of Zhang et al. 2019: what is measured is `φ`, which moves every `k` steps.
#[test]
fn the_average_of_lookahead_is_the_slow_weights() {
    let _lock = lock();
    let device = device();
    let (x, y) = examples(&device);
    let mut model = Normalised::new(&device);
    let mut updater = recipe(|recipe| {
        recipe.average.push(Average::Lookahead { k: 3, alpha: 0.5 });
    })
    .init(&model)
    .unwrap();
    let mut slow = values(&model);
    for done in 1..=7 {
        model = step(&mut updater, 0.1, model, |model| model.gradient(&x, &y));
        if done % 3 == 0 {
            slow = values(&model);
        }
        let (fast, found) = (values(&model), values(&updater.averaged(&model).unwrap()));
        // Behind gamma and beta of `norm`.
        for (place, found) in found.iter().enumerate() {
            let running = place == 4 || place == 5;
            let expected = if running { &fast[place] } else { &slow[place] };
            assert_eq!(found, expected, "step {done}, parameter {place}");
        }
        assert_eq!(fast[0] == slow[0], done % 3 == 0);
    }
}

#[test]
fn a_record_may_hold_averages_of_another_float_type() {
    let _lock = lock();
    let device = device();
    let (x, y) = examples(&device);
    let recipe = recipe(|recipe| {
        recipe.average.push(Average::Ema { decay: 0.5 });
        recipe.average.push(Average::Lookahead { k: 1, alpha: 0.5 });
    });
    let model = Normalised::new(&device);
    let mut updater = recipe.init(&model).unwrap();
    let mut record = updater.to_record();
    for weights in [&mut record.slow, &mut record.mean] {
        for data in weights.iter_mut().flatten() {
            *data = data.clone().convert::<f64>();
        }
    }
    let mut resumed = updater.clone().load_record(record).unwrap();
    let go = |updater: &mut Updater| {
        device.seed(1);
        let model = model.valid().train();
        let model = step(updater, 0.1, model, |model| model.gradient(&x, &y));
        (bits(&model), bits(&updater.averaged(&model).unwrap()))
    };
    assert_eq!(go(&mut resumed), go(&mut updater));
}

#[test]
fn the_counts_of_a_record_do_not_overflow() {
    let _lock = lock();
    let device = device();
    let (x, y) = examples(&device);
    let model = Normalised::new(&device);
    let horizon = Horizon {
        steps: 14,
        steps_per_epoch: 7,
        batch: 8,
    };
    for recipe in [Everything::new().recipe(), Smooth::new().recipe()] {
        let updater = recipe.over(&model, &horizon).unwrap();
        let mut record = updater.to_record();
        (record.steps, record.count) = (u64::MAX, u64::MAX);
        if record.mean.is_none() {
            record.mean = record.slow.clone();
        }
        let mut resumed = updater.load_record(record).unwrap();
        let model = model.valid().train();
        step(&mut resumed, 0.1, model, |model| model.gradient(&x, &y));
        assert_eq!(resumed.steps(), u64::MAX);
    }
}
