//! L-BFGS: against PyTorch, whose numbers `tests/peers/lbfgs.py` recorded, and what it makes of a
//! model, a record and a configuration.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Linear};
use burn::optim::GradientsParams;
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use kiln::optim::{
    Average, Clip, LineSearch, Minimiser, Optimizer, OptimizerError, Recipe, Rule, Switch, Update,
    UpdaterRecord,
};
use kiln::optimizer;
use kiln::schedule::Time;
use serde_json::{Value, json};

optimizer! {
    struct Plain { max_iter: usize = 20, history_size: usize = 100 }
    update lbfgs(max_iter: max_iter, history_size: history_size);
}

optimizer! {
    struct Wolfe { max_iter: usize = 20, history_size: usize = 100 }
    update lbfgs(line_search: strong_wolfe, max_iter: max_iter, history_size: history_size);
}

optimizer! {
    struct Defaults;
    update lbfgs;
}

#[derive(Module, Debug)]
struct Network {
    first: Linear,
    second: Linear,
}

impl Network {
    fn evaluate(&self, x: &Tensor<2>, y: &Tensor<2>) -> (f64, GradientsParams) {
        let output = self.second.forward(self.first.forward(x.clone()).tanh());
        let loss = (output - y.clone()).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), self);
        (loss.into_scalar(), gradients)
    }
}

fn on_wgpu() -> bool {
    kiln::device::name(&device()) == "wgpu"
}

fn values<M: Module>(model: &M) -> Vec<f64> {
    struct Values(Vec<f64>);
    impl ModuleVisitor for Values {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f64>());
        }
    }
    let mut values = Values(Vec::new());
    // `valid` takes over running statistics that wait to be.
    model.valid().visit(&mut values);
    values.0
}

fn device() -> Device {
    kiln::device::default_device().unwrap().autodiff()
}

fn numbers(value: &Value) -> impl Iterator<Item = f64> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|number| number.as_f64().unwrap())
}

fn tensor<const D: usize>(value: &Value, shape: [usize; D], dtype: DType) -> Tensor<D> {
    let data = TensorData::new(numbers(value).collect::<Vec<_>>(), shape);
    Tensor::from_data(data, (&device(), dtype))
}

/// The network, its input and its target.
fn network(dtype: DType) -> (Network, Tensor<2>, Tensor<2>) {
    let record: Value =
        serde_json::from_str(include_str!("../../tests/peers/optimizers.json")).unwrap();
    let start = &record["start"];
    let layer = |weight: &Value, bias: &Value, shape: [usize; 2]| Linear {
        weight: Param::from_tensor(tensor(weight, shape, dtype)),
        bias: Some(Param::from_tensor(tensor(bias, [shape[1]], dtype))),
    };
    let network = Network {
        first: layer(&start[0], &start[1], [3, 4]),
        second: layer(&start[2], &start[3], [4, 2]),
    };
    let x = tensor(&record["x"], [8, 3], dtype);
    let y = tensor(&record["y"], [8, 2], dtype);
    (network, x, y)
}

#[test]
fn weights_are_pytorchs_after_each_step() {
    let record: Value = serde_json::from_str(include_str!("../../tests/peers/lbfgs.json")).unwrap();
    // Rounding decides how a line search goes: like is compared with like. wgpu says that it has
    // double precision over Mesa, and computes the loss in single.
    let dtype = DType::F64;
    if on_wgpu() {
        return;
    }
    let cases = record["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 7);
    for case in cases {
        let arguments = &case["arguments"];
        let count = |key: &str, default| arguments[key].as_u64().map_or(default, |n| n as usize);
        let (max_iter, history_size) = (count("max_iter", 20), count("history_size", 100));
        let minimiser = |network: &Network| match arguments["line_search_fn"].is_string() {
            true => Wolfe::new()
                .with_max_iter(max_iter)
                .with_history_size(history_size)
                .minimiser(network),
            false => Plain::new()
                .with_max_iter(max_iter)
                .with_history_size(history_size)
                .minimiser(network),
        };
        let (mut network, x, y) = network(dtype);
        let mut minimiser = minimiser(&network).unwrap();
        for (at, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let mut losses = Vec::new();
            network = minimiser.step(case["lr"].as_f64().unwrap(), network, |network| {
                let (loss, gradients) = network.evaluate(&x, &y);
                losses.push(loss);
                (loss, gradients)
            });
            let expected = step["weights"].as_array().unwrap().iter().flat_map(numbers);
            assert!((losses[0] - step["loss"].as_f64().unwrap()).abs() <= 1e-9);
            let found = values(&network);
            assert_eq!(found.len(), 26);
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= 1e-9,
                    "step {at} of {recipe}\nfound {found}, the peer has {expected}",
                    recipe = minimiser.recipe(),
                );
            }
        }
    }
}

/// A model with running statistics and a frozen layer, for which Burn's own L-BFGS panics.
#[derive(Module, Debug)]
struct Partly {
    frozen: Linear,
    norm: BatchNorm,
    head: Linear,
}

impl Partly {
    fn new() -> Self {
        let device = device();
        // Not drawn: another test may draw at the same time.
        let linear = |shape: [usize; 2]| {
            let numbers = (0..shape[0] * shape[1]).map(|at| (1.7 * at as f32).sin());
            let weight = TensorData::new(numbers.collect::<Vec<_>>(), shape);
            Linear {
                weight: Param::from_tensor(Tensor::from_data(weight, &device)),
                bias: Some(Param::from_tensor(Tensor::zeros([shape[1]], &device))),
            }
        };
        Partly {
            frozen: linear([3, 4]).no_grad(),
            norm: BatchNormConfig::new(4).init(&device),
            head: linear([4, 2]),
        }
    }

    fn evaluate(&self, x: &Tensor<2>, y: &Tensor<2>) -> (f64, GradientsParams) {
        let output = self
            .head
            .forward(self.norm.forward(self.frozen.forward(x.clone())));
        let loss = (output - y.clone()).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), self);
        (loss.into_scalar(), gradients)
    }
}

#[test]
fn frozen_weights_stay_and_running_statistics_are_those_of_the_first_pass() {
    let (_, x, y) = network(DType::F32);
    let mut model = Partly::new();
    let frozen = values(&model.frozen);
    let mut minimiser = Wolfe::new().minimiser(&model).unwrap();
    let mut losses = Vec::new();
    for step in 0..3 {
        // A clone would share the statistics.
        let once = model.valid().train();
        once.evaluate(&x, &y);
        let mut passes = 0;
        model = minimiser.step(1.0, model, |model| {
            let found = model.evaluate(&x, &y);
            passes += 1;
            losses.push(found.0);
            found
        });
        // Later ones may find that nothing is left to do.
        assert!(passes > 2 || step > 0);
        assert_eq!(
            values(&model.norm.running_mean),
            values(&once.norm.running_mean)
        );
        assert_eq!(
            values(&model.norm.running_var),
            values(&once.norm.running_var)
        );
        assert_eq!(values(&model.frozen), frozen);
    }
    assert!(losses[losses.len() - 1] < 0.9 * losses[0], "{losses:?}");
    assert!(!model.frozen.weight.is_require_grad() && model.head.weight.is_require_grad());
}

#[test]
fn a_step_after_a_checkpoint_has_the_bits_of_one_without() {
    for recipe in [
        Wolfe::new().with_history_size(3).recipe(),
        Defaults::new().recipe(),
    ] {
        let (mut network, x, y) = network(DType::F32);
        let mut minimiser = recipe.minimiser(&network).unwrap();
        let step = |minimiser: &mut Minimiser, network| {
            minimiser.step(0.5, network, |network: &Network| network.evaluate(&x, &y))
        };
        // Before the first step there is little to remember.
        for _ in 0..3 {
            let bytes = minimiser.to_record().into_bytes().unwrap();
            let record = UpdaterRecord::from_bytes(bytes).unwrap();
            let fresh = recipe.minimiser(&network).unwrap();
            let mut resumed = fresh.load_record(record).unwrap();
            assert_eq!(resumed.steps(), minimiser.steps());
            let again = step(&mut resumed, network.clone());
            network = step(&mut minimiser, network);
            assert_eq!(values(&network), values(&again));
        }
    }
}

#[test]
fn a_record_of_another_kind_or_model_is_refused() {
    optimizer! { struct Sgd; update sgd(momentum: 0.9); }
    let (network, x, y) = network(DType::F32);
    let mut minimiser = Wolfe::new().minimiser(&network).unwrap();
    let network = minimiser.step(1.0, network, |network| network.evaluate(&x, &y));
    let mut updater = Sgd::new().init(&network).unwrap();
    let (_, gradients) = network.evaluate(&x, &y);
    let network = updater.step(0.1, network, gradients);
    let bytes = |record: UpdaterRecord| record.into_bytes().unwrap();
    let read = |bytes: &Bytes| UpdaterRecord::from_bytes(bytes.clone()).unwrap();
    let (ours, theirs) = (bytes(minimiser.to_record()), bytes(updater.to_record()));

    let reason = |error: OptimizerError| match error {
        OptimizerError::Foreign { reason } => reason,
        other => panic!("{other}"),
    };
    let error = updater.load_record(read(&ours)).unwrap_err();
    assert_eq!(
        reason(error),
        "it is that of a rule that evaluates the loss"
    );
    let fresh = |network| Wolfe::new().minimiser(network).unwrap();
    let error = fresh(&network).load_record(read(&theirs)).unwrap_err();
    assert_eq!(
        reason(error),
        "it is that of a rule that takes one gradient a step"
    );
    let other = Wolfe::new().minimiser(&network.first).unwrap();
    let error = other.load_record(read(&ours)).unwrap_err();
    assert_eq!(reason(error), "its weights are those of another model");
    let mut cut = ours.to_vec();
    let last = cut.len() - 1;
    cut[last] ^= 1;
    let error = UpdaterRecord::from_bytes(Bytes::from_bytes_vec(cut)).unwrap_err();
    assert!(matches!(error, OptimizerError::Damaged { .. }));
}

#[test]
fn it_stands_alone_and_needs_the_loss() {
    let (network, ..) = network(DType::F32);
    let whole = Defaults::new().recipe();
    assert_eq!(
        whole.to_string(),
        "update lbfgs(history_size: 100, max_iter: 20, line_search: none, tolerance_grad: 1e-7, \
         tolerance_change: 1e-9);",
    );
    let needs_loss = |error| matches!(error, OptimizerError::NeedsLoss { .. });
    assert!(needs_loss(whole.init(&network).unwrap_err()));
    assert!(needs_loss(whole.module_optimizer(&network).err().unwrap()));
    assert!(whole.minimiser(&network).is_ok());

    let sgd = Rule::new(
        Update::Sgd {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        },
        Vec::new(),
    );
    let error = Recipe::new(vec![sgd.clone()])
        .minimiser(&network)
        .unwrap_err();
    assert!(matches!(error, OptimizerError::NeedsGradient { .. }));

    let max_norm = 1.0;
    let clipped = Recipe {
        clip: Some(Clip::GlobalNorm { max_norm }),
        ..whole.clone()
    };
    let averaged = Recipe {
        average: vec![Average::Ema { decay: 0.9 }],
        ..whole.clone()
    };
    let two = Recipe {
        rules: vec![sgd.clone(), whole.rules[0].clone()],
        ..whole.clone()
    };
    let switched = Recipe {
        rules: vec![sgd],
        switches: vec![Switch {
            at: Time::Steps(3.0),
            rule: whole.rules[0].clone(),
        }],
        ..whole.clone()
    };
    for (recipe, with) in [
        (clipped, "clip global_norm(1)"),
        (averaged, "average ema(decay: 0.9)"),
        (
            two,
            "update sgd(momentum: 0, nesterov: false, weight_decay: 0)",
        ),
        (
            switched,
            "update sgd(momentum: 0, nesterov: false, weight_decay: 0)",
        ),
    ] {
        match recipe.minimiser(&network).unwrap_err() {
            OptimizerError::NotAlone { beside, .. } => assert_eq!(beside, with),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn no_number_of_a_configuration_file_makes_it_panic() {
    let (network, x, y) = network(DType::F32);
    let whole = serde_json::to_value(Wolfe::new().recipe()).unwrap();
    let most = u64::MAX;
    // It is about configurations, and thousands of passes take minutes there.
    if on_wgpu() {
        return;
    }
    for (name, values) in [
        ("history_size", [json!(0), json!(1), json!(most)]),
        ("max_iter", [json!(0), json!(1), json!(most)]),
        ("tolerance_grad", [json!(-1.0), json!(0.0), json!(1e30)]),
        ("tolerance_change", [json!(-1.0), json!(1e-50), json!(1e30)]),
    ] {
        for (at, value) in values.into_iter().enumerate() {
            let mut changed = whole.clone();
            changed["rules"][0]["update"]["lbfgs"][name] = value;
            // Ends at a loss that does not change, whatever `max_iter` says.
            let recipe: Recipe = serde_json::from_value(changed).unwrap();
            let minimiser = recipe.minimiser(&network);
            assert_eq!(minimiser.is_err(), at == 0, "{recipe}");
            let Ok(mut minimiser) = minimiser else {
                continue;
            };
            let mut network = network.clone();
            // Where the loss is no number, `max_iter` alone ends a step.
            let rates: &[f64] = match (name, at) {
                ("max_iter", 2) => &[1.0, 0.0],
                _ => &[1.0, 0.0, f64::NAN, 1e300],
            };
            for &rate in rates {
                network = minimiser.step(rate, network, |network| network.evaluate(&x, &y));
            }
        }
    }
}

#[test]
fn parameters_of_two_types_are_refused_by_name() {
    if !device().supports_dtype(DType::F64) {
        return;
    }
    let (mut network, ..) = network(DType::F32);
    let bias = tensor(&json!([0.0, 0.0]), [2], DType::F64);
    network.second.bias = Some(Param::from_tensor(bias));
    match Defaults::new().minimiser(&network).unwrap_err() {
        OptimizerError::Mixed { path, .. } => assert_eq!(path, "second.bias"),
        other => panic!("{other}"),
    }
    let search = LineSearch::StrongWolfe;
    assert_eq!(serde_json::to_value(search).unwrap(), "strong_wolfe");
}
