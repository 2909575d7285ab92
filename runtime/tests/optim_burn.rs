//! The optimizers against Burn's own, of which they are faster copies: the same weights to the
//! bit, the same records, whatever the number of threads.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Distribution, Tensor};
use kiln::optim::{Clip, Recipe, Rule, Update, clip_global_norm, global_norm};

/// Scalars, odd lengths, one share of a thread and more than one.
#[derive(Module, Debug)]
struct Shapes {
    one: Param<Tensor<1>>,
    odd: Param<Tensor<1>>,
    matrix: Param<Tensor<2>>,
    kernel: Param<Tensor<4>>,
    large: Param<Tensor<2>>,
}

fn device() -> Device {
    kiln::device::default_device().unwrap().autodiff()
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

fn shapes(device: &Device) -> Shapes {
    fn param<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
        Param::from_tensor(random(shape, device))
    }
    Shapes {
        one: param([1], device),
        odd: param([37], device),
        matrix: param([19, 23], device),
        kernel: param([5, 3, 3, 3], device),
        large: param([300, 150], device),
    }
}

/// Gradients that are the same for the same `step`: some of them 0, some vanishing, some large.
fn gradients(model: &Shapes, step: usize) -> GradientsParams {
    struct Draw(GradientsParams, u64);
    impl ModuleVisitor for Draw {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let device = param.val().device().inner();
            let shape = param.val().dims();
            let mut draw = || {
                self.1 = self
                    .1
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let unit = (self.1 >> 40) as f32 / (1 << 23) as f32 - 1.0;
                match self.1 >> 60 {
                    0 => 0.0,
                    1 => -0.0,
                    2 => unit * 1e-30,
                    3 => unit * 1e3,
                    _ => unit,
                }
            };
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| draw()).collect();
            let data = burn::tensor::TensorData::new(values, shape);
            self.0
                .register(param.id, Tensor::<D>::from_data(data, &device));
        }
    }
    let mut draw = Draw(GradientsParams::new(), 0x9e37_79b9_7f4a_7c15 ^ step as u64);
    model.visit(&mut draw);
    draw.0
}

fn bits(model: &Shapes) -> Vec<u32> {
    struct Bits(Vec<u32>);
    impl ModuleVisitor for Bits {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values: Vec<f32> = param.val().into_data().try_to_vec().unwrap();
            self.0.extend(values.iter().map(|value| value.to_bits()));
        }
    }
    let mut bits = Bits(Vec::new());
    model.visit(&mut bits);
    bits.0
}

fn recipe(update: Update) -> Recipe {
    let targets = vec![];
    let rules = vec![Rule::new(update, targets)];
    Recipe::new(rules)
}

fn sgd(momentum: f64, nesterov: bool, weight_decay: f64) -> (Recipe, ModuleOptimizer) {
    let burns = SgdConfig::new()
        .with_momentum((momentum != 0.0).then(|| {
            MomentumConfig::new()
                .with_momentum(momentum)
                .with_dampening(0.0)
                .with_nesterov(nesterov)
        }))
        .with_weight_decay(
            (weight_decay != 0.0).then(|| WeightDecayConfig::new(weight_decay as f32)),
        );
    let ours = Update::Sgd {
        momentum,
        nesterov,
        weight_decay,
    };
    (recipe(ours), burns.init())
}

fn adam(beta_1: f64, beta_2: f64, weight_decay: f64) -> (Recipe, ModuleOptimizer) {
    let burns = AdamConfig::new()
        .with_beta_1(beta_1 as f32)
        .with_beta_2(beta_2 as f32)
        .with_epsilon(1e-8)
        .with_weight_decay(
            (weight_decay != 0.0).then(|| WeightDecayConfig::new(weight_decay as f32)),
        );
    let ours = Update::Adam {
        beta_1,
        beta_2,
        epsilon: 1e-8,
        weight_decay,
        amsgrad: false,
    };
    (recipe(ours), burns.init())
}

fn adamw(beta_1: f64, beta_2: f64, weight_decay: f64) -> (Recipe, ModuleOptimizer) {
    let burns = AdamWConfig::new()
        .with_beta_1(beta_1 as f32)
        .with_beta_2(beta_2 as f32)
        .with_epsilon(1e-8)
        .with_weight_decay(weight_decay as f32);
    let ours = Update::AdamW {
        beta_1,
        beta_2,
        epsilon: 1e-8,
        weight_decay,
        amsgrad: false,
    };
    (recipe(ours), burns.init())
}

/// Our optimizer and Burn's.
fn all() -> Vec<(Recipe, ModuleOptimizer)> {
    vec![
        sgd(0.0, false, 0.0),
        sgd(0.0, false, 0.01),
        sgd(0.9, false, 0.0),
        sgd(0.9, false, 0.01),
        sgd(0.9, true, 0.0),
        sgd(0.9, true, 0.01),
        adam(0.9, 0.999, 0.0),
        adam(0.8, 0.99, 0.01),
        adam(0.0, 0.0, 0.0),
        adamw(0.9, 0.999, 0.0),
        adamw(0.8, 0.99, 0.01),
    ]
}

/// A rate that changes from step to step.
fn rate(step: usize) -> f64 {
    0.01 / (1.0 + step as f64 / 7.0)
}

#[test]
fn fifty_steps_are_burns_to_the_bit() {
    let device = device();
    for (recipe, mut burns) in all() {
        let start = shapes(&device);
        let mut ours = recipe.init(&start).unwrap();
        let (mut model, mut reference) = (start.clone(), start);
        for step in 0..50 {
            let (a, b) = (gradients(&model, step), gradients(&reference, step));
            model = ours.step(rate(step), model, a);
            reference = burns.step(rate(step), reference, b);
            assert!(
                bits(&model) == bits(&reference),
                "{recipe}: apart after step {step}"
            );
        }
    }
}

#[test]
fn records_go_from_burns_optimizer_to_ours_and_back() {
    let device = device();
    for (recipe, mut burns) in all() {
        let start = shapes(&device);
        let mut ours = recipe.init(&start).unwrap();
        let (mut model, mut reference) = (start.clone(), start.clone());
        for step in 0..3 {
            let (a, b) = (gradients(&model, step), gradients(&reference, step));
            model = ours.step(rate(step), model, a);
            reference = burns.step(rate(step), reference, b);
        }
        // Each goes on from what the other wrote.
        let (mut from_ours, from_burns) = (ours.to_record(), burns.to_record());
        let rules = std::mem::take(&mut from_ours.rules);
        let from_burns = from_burns.into_bytes().unwrap();
        let read = |bytes| burn::optim::OptimizerRecord::from_bytes(bytes).unwrap();
        let mut burns = burns.load_record(read(rules.into_bytes().unwrap()));
        let mut ours = recipe.init(&start).unwrap();
        from_ours.rules = read(from_burns);
        ours = ours.load_record(from_ours).unwrap();
        for step in 3..6 {
            let (a, b) = (gradients(&model, step), gradients(&reference, step));
            model = ours.step(rate(step), model, a);
            reference = burns.step(rate(step), reference, b);
            assert!(
                bits(&model) == bits(&reference),
                "{recipe}: apart after step {step}"
            );
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let device = device();
    if !kiln::device::is_host(&device) {
        return; // Only there the threads are ours.
    }
    for clip in [None, Some(Clip::GlobalNorm { max_norm: 1.0 })] {
        for (mut recipe, _) in all() {
            recipe.clip = clip;
            let start = shapes(&device);
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build().unwrap().install(|| {
                    let mut model = start.clone();
                    let mut ours = recipe.init(&model).unwrap();
                    for step in 0..3 {
                        let gradients = gradients(&model, step);
                        model = ours.step(rate(step), model, gradients);
                    }
                    bits(&model)
                })
            };
            assert!(run(1) == run(5), "{recipe}");
        }
    }
}

/// What a clone of a model or of an optimizer holds stays as it is.
#[test]
fn a_step_changes_nothing_that_somebody_else_holds() {
    let device = device();
    for (recipe, _) in all() {
        let mut model = shapes(&device);
        let mut ours = recipe.init(&model).unwrap();
        model = ours.step(rate(0), model.clone(), gradients(&model, 0));
        let (held, held_optimizer, before) = (model.clone(), ours.clone(), bits(&model));
        let once = ours.step(rate(1), model.clone(), gradients(&model, 1));
        assert!(bits(&held) == before, "{recipe}");
        let mut again = held_optimizer;
        let again = again.step(rate(1), held, gradients(&model, 1));
        assert!(bits(&once) == bits(&again), "{recipe}");
    }
}

#[test]
fn the_norm_of_gradients_is_right_to_single_precision() {
    let device = device();
    let model = shapes(&device);
    for step in 0..5 {
        let gradients = gradients(&model, step);
        struct Sum<'a>(&'a GradientsParams, f64);
        impl ModuleVisitor for Sum<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let grad = self.0.get::<D>(param.id).unwrap().into_data();
                self.1 += grad.iter::<f64>().map(|x| x * x).sum::<f64>();
            }
        }
        let mut sum = Sum(&gradients, 0.0);
        model.visit(&mut sum);
        let expected = sum.1.sqrt();
        let found = global_norm(&model, &gradients).into_scalar::<f64>();
        assert!(
            (found - expected).abs() <= 1e-6 * expected,
            "{found}, by hand {expected}"
        );
        let clipped = clip_global_norm(&model, gradients, expected / 2.0);
        let found = global_norm(&model, &clipped).into_scalar::<f64>();
        assert!((found - expected / 2.0).abs() <= 1e-5 * expected);
    }
}

/// Where the numbers of `parameter` lie.
#[cfg(feature = "flex")]
fn address(parameter: &Param<Tensor<2>>) -> Option<*const f32> {
    let tensor = parameter.val().inner();
    let tensor = tensor.try_into_primitive::<burn::backend::Flex>().ok()?;
    Some(tensor.storage::<f32>().as_ptr())
}

#[test]
#[cfg(feature = "flex")]
fn a_step_after_a_backward_pass_is_taken_in_place() {
    let device = device();
    for (recipe, _) in all() {
        let mut layer = burn::nn::LinearConfig::new(40, 30).init(&device);
        let mut ours = recipe.init(&layer).unwrap();
        let start = address(&layer.weight);
        for step in 0..3 {
            let output = layer.forward(random([8, 40], &device)).tanh();
            let gradients = GradientsParams::from_grads(output.mean().backward(), &layer);
            layer = ours.step(rate(step), layer, gradients);
        }
        // Another backend has no such address.
        assert_eq!(address(&layer.weight), start, "{recipe}");
    }
}
