//! The update rules that Burn has not, by hand; and what holds for all of them: state survives a
//! checkpoint, and numbers are the same where our kernels do not reach.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use kiln::optim::{
    Norm, OptimizerError, Recipe, Rule, Target, Update, Updater, UpdaterRecord, trust_ratios,
};
use kiln::{optim::Optimizer, optimizer};

#[derive(Module, Debug)]
struct Parameters {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

fn device() -> Device {
    kiln::device::default_device().unwrap().autodiff()
}

/// A parameter of this type of number.
fn param<const D: usize>(values: &[f64], shape: [usize; D], dtype: DType) -> Param<Tensor<D>> {
    Param::from_tensor(tensor(values, shape, dtype, &device()))
}

fn tensor<const D: usize>(
    values: &[f64],
    shape: [usize; D],
    dtype: DType,
    device: &Device,
) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (device, dtype))
}

/// What is not in single precision is stepped with tensors, as on a GPU.
const TYPES: [DType; 2] = [DType::F32, DType::F64];

fn types() -> impl Iterator<Item = DType> {
    let device = device();
    TYPES
        .into_iter()
        .filter(move |dtype| device.supports_dtype(*dtype))
}

/// A parameter of two numbers under a rule.
struct Pair {
    w: Pairs,
    updater: Updater,
    dtype: DType,
}

#[derive(Module, Debug)]
struct Pairs {
    w: Param<Tensor<1>>,
}

impl Pair {
    fn new(w: [f64; 2], update: &Update, dtype: DType) -> Self {
        let w = Pairs {
            w: param(&w, [2], dtype),
        };
        let updater = Recipe::new(vec![Rule::new(*update, vec![])])
            .init(&w)
            .unwrap();
        Pair { w, updater, dtype }
    }

    fn step(&mut self, rate: f64, gradient: [f64; 2]) -> [f64; 2] {
        let mut grads = GradientsParams::new();
        let gradient = tensor(&gradient, [2], self.dtype, &device().inner());
        grads.register(self.w.w.id, gradient);
        self.w = self.updater.step(rate, self.w.clone(), grads);
        let data = self.w.w.val().into_data();
        let values: Vec<f64> = data.iter::<f64>().collect();
        [values[0], values[1]]
    }
}

#[track_caller]
fn close(found: [f64; 2], expected: [f64; 2]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-6 * (1.0 + expected.abs()),
            "{found}, by hand {expected}"
        );
    }
}

fn lars(momentum: f64, weight_decay: f64) -> Update {
    Update::Lars {
        momentum,
        nesterov: false,
        weight_decay,
        trust_coefficient: 0.1,
        clip: false,
    }
}

#[test]
fn lars_takes_one_step_as_by_hand() {
    for dtype in types() {
        // λ = 0.1 · 5 / 10, and the rate is 2.
        let mut pair = Pair::new([3.0, 4.0], &lars(0.0, 0.0), dtype);
        close(pair.step(2.0, [6.0, 8.0]), [2.4, 3.2]);
        // λ = 0.1 · 5 / (10 + 2 · 5), and the direction is g + 2w = (14, 2).
        let mut pair = Pair::new([3.0, 4.0], &lars(0.9, 2.0), dtype);
        close(pair.step(1.0, [8.0, -6.0]), [3.0 - 0.35, 4.0 - 0.05]);
    }
}

/// Where the gradient points as the parameter does, the decay cancels: `γλ(‖g‖ + β‖w‖)` is
/// `γη‖w‖`, and what is left is a recursion of lengths.
#[test]
fn lars_along_a_ray_is_a_recursion_of_lengths() {
    for dtype in types() {
        for (momentum, nesterov, weight_decay) in [
            (0.0, false, 0.3),
            (0.5, false, 0.0),
            (0.9, false, 0.2),
            (0.9, true, 0.2),
        ] {
            let update = Update::Lars {
                momentum,
                nesterov,
                weight_decay,
                trust_coefficient: 0.02,
                clip: false,
            };
            let mut pair = Pair::new([3.0, 4.0], &update, dtype);
            let (mut length, mut velocity) = (5.0, 0.0);
            for step in 0..20 {
                // The rate is inside the momentum, so it may change.
                let rate = 1.0 / (1.0 + f64::from(step));
                let d = rate * 0.02 * length;
                velocity = momentum * velocity + d;
                length -= if nesterov {
                    d + momentum * velocity
                } else {
                    velocity
                };
                let scale = 1.0 + f64::from(step % 3);
                let found = pair.step(rate, [0.6 * scale, 0.8 * scale]);
                close(found, [0.6 * length, 0.8 * length]);
            }
        }
    }
}

#[test]
fn larc_only_lowers_the_rate() {
    let larc = Update::Lars {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
        trust_coefficient: 0.1,
        clip: true,
    };
    for dtype in types() {
        // λ = 0.05 is below the rate 2, and above the rate 0.01.
        close(
            Pair::new([3.0, 4.0], &larc, dtype).step(2.0, [6.0, 8.0]),
            [2.7, 3.6],
        );
        close(
            Pair::new([3.0, 4.0], &larc, dtype).step(0.01, [6.0, 8.0]),
            [2.94, 3.92],
        );
        close(
            Pair::new([3.0, 4.0], &larc, dtype).step(0.0, [6.0, 8.0]),
            [3.0, 4.0],
        );
    }
}

#[test]
fn lars_is_sgd_where_a_norm_is_0() {
    for dtype in types() {
        for clip in [false, true] {
            let update = Update::Lars {
                momentum: 0.9,
                nesterov: false,
                weight_decay: 0.5,
                trust_coefficient: 0.1,
                clip,
            };
            let mut pair = Pair::new([0.0, 0.0], &update, dtype);
            close(pair.step(0.1, [0.0, 0.0]), [0.0, 0.0]);
            close(pair.step(0.1, [1.0, -2.0]), [-0.1, 0.2]);
            let mut pair = Pair::new([2.0, -4.0], &update, dtype);
            close(pair.step(0.1, [0.0, 0.0]), [2.0 - 0.1, -4.0 + 0.2]);
        }
    }
}

#[test]
fn larc_lowers_a_rate_above_1_where_a_norm_is_0() {
    for dtype in types() {
        for (clip, rate) in [(false, 4.0), (true, 1.0)] {
            let update = Update::Lars {
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
                trust_coefficient: 0.001,
                clip,
            };
            // λ is 1, and the step by γλ = 4 or by min(λ, γ) = 1.
            let mut pair = Pair::new([0.0, 0.0], &update, dtype);
            close(pair.step(4.0, [1.0, -2.0]), [-rate, 2.0 * rate]);
        }
    }
}

#[test]
fn what_is_not_a_number_stays_visible_in_lars() {
    for dtype in types() {
        let found = Pair::new([3.0, 4.0], &lars(0.9, 0.0), dtype).step(0.1, [f64::NAN, 1.0]);
        assert!(found.iter().all(|x| x.is_nan()), "{found:?}");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit_of_lars() {
    if !kiln::device::is_host(&device()) {
        return; // Only there the threads are ours.
    }
    let wave = |by: f64| (0..90_000).map(move |at| (f64::from(at) * by).cos());
    let [w, g] = [0.7, 1.3].map(|by| wave(by).collect::<Vec<f64>>());
    for momentum in [0.0, 0.9] {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let mut model = Pairs {
                    w: param(&w, [90_000], DType::F32),
                };
                let rules = vec![Rule::new(lars(momentum, 0.1), vec![])];
                let mut updater = Recipe::new(rules).init(&model).unwrap();
                for _ in 0..3 {
                    let mut grads = GradientsParams::new();
                    let gradient = tensor(&g, [90_000], DType::F32, &device().inner());
                    grads.register(model.w.id, gradient);
                    model = updater.step(0.5, model, grads);
                }
                let data = model.w.val().into_data();
                data.iter::<f64>().collect::<Vec<f64>>()
            })
        };
        assert!(run(1) == run(5));
    }
}

#[test]
fn sign_moves_every_coordinate_by_the_rate() {
    let sign = Update::Sign {
        momentum: 0.0,
        weight_decay: 0.0,
    };
    for dtype in types() {
        let mut pair = Pair::new([1.0, 1.0], &sign, dtype);
        close(pair.step(0.25, [1e-20, -300.0]), [0.75, 1.25]);
        close(pair.step(0.25, [0.0, 1.0]), [0.75, 1.0]);
    }
}

/// A gradient of one row of a matrix and a bias, and where steepest descent goes from 0.
fn steepest(norm: Norm, normalized: bool, weight: [f64; 2], bias: [f64; 2]) -> Vec<Vec<f64>> {
    let rules = vec![Rule::new(Update::Steepest { norm, normalized }, vec![])];
    let mut found: Vec<_> = types()
        .map(|dtype| stepped(rules.clone(), weight, bias, dtype))
        .collect();
    for other in &found {
        for (a, b) in found[0].concat().iter().zip(other.concat()) {
            assert!((a - b).abs() < 1e-6);
        }
    }
    found.swap_remove(0)
}

fn stepped(rules: Vec<Rule>, weight: [f64; 2], bias: [f64; 2], dtype: DType) -> Vec<Vec<f64>> {
    let model = Parameters {
        weight: param(&[0.0; 2], [1, 2], dtype),
        bias: param(&[0.0; 2], [2], dtype),
    };
    let mut updater = Recipe::new(rules).init(&model).unwrap();
    let mut grads = GradientsParams::new();
    let device = device().inner();
    grads.register(model.weight.id, tensor(&weight, [1, 2], dtype, &device));
    grads.register(model.bias.id, tensor(&bias, [2], dtype, &device));
    let model = updater.step(1.0, model, grads);
    let weight = model.weight.val().into_data();
    let bias = model.bias.val().into_data();
    [weight, bias]
        .map(|data| data.iter::<f64>().collect())
        .into()
}

#[test]
fn steepest_descent_under_l2_follows_the_gradient() {
    // The norm is 13.
    let (weight, bias) = ([3.0, -4.0], [12.0, 0.0]);
    let found = steepest(Norm::L2, true, weight, bias).concat();
    for (found, gradient) in found.iter().zip([3.0, -4.0, 12.0, 0.0]) {
        assert!((found + gradient / 13.0).abs() < 1e-6);
    }
    let found = steepest(Norm::L2, false, weight, bias);
    assert_eq!(found, [[-3.0, 4.0], [-12.0, 0.0]]);
}

#[test]
fn steepest_descent_under_l1_moves_the_first_of_the_largest_coordinates() {
    let found = steepest(Norm::L1, true, [3.0, -4.0], [12.0, 0.0]);
    assert_eq!(found, [[0.0, 0.0], [-1.0, 0.0]]);
    let found = steepest(Norm::L1, false, [3.0, -14.0], [12.0, 0.0]);
    assert_eq!(found, [[0.0, 14.0], [0.0, 0.0]]);
    let found = steepest(Norm::L1, false, [2.0, -4.0], [4.0, -4.0]);
    assert_eq!(found, [[0.0, 4.0], [0.0, 0.0]]);
    let found = steepest(Norm::L1, false, [2.0, -3.0], [4.0, -4.0]);
    assert_eq!(found, [[0.0, 0.0], [-4.0, 0.0]]);
}

#[test]
fn steepest_descent_under_linf_moves_by_signs() {
    let found = steepest(Norm::Linf, true, [3.0, -4.0], [12.0, 0.0]);
    assert_eq!(found, [[-1.0, 1.0], [-1.0, 0.0]]);
    let found = steepest(Norm::Linf, false, [3.0, -4.0], [12.0, 0.0]);
    assert_eq!(found, [[-19.0, 19.0], [-19.0, 0.0]]);
}

#[test]
fn steepest_descent_along_no_gradient_stays() {
    for norm in [Norm::L1, Norm::L2, Norm::Linf] {
        for normalized in [true, false] {
            let found = steepest(norm, normalized, [0.0; 2], [0.0; 2]);
            assert_eq!(found, [[0.0; 2]; 2], "{norm:?}");
        }
    }
}

#[test]
fn the_vector_of_steepest_descent_is_that_of_its_rule() {
    let norm = Norm::L2;
    let rules = vec![
        Rule::new(
            Update::Steepest {
                norm,
                normalized: true,
            },
            vec![],
        ),
        Rule::new(
            Update::Steepest {
                norm,
                normalized: true,
            },
            vec![Target::Bias],
        ),
    ];
    let found = stepped(rules.clone(), [0.0, 8.0], [-2.0, 0.0], DType::F32);
    assert_eq!(found, [[0.0, -1.0], [1.0, 0.0]]);
    let sgd = Update::Sgd {
        momentum: 0.0,
        nesterov: false,
        weight_decay: 0.0,
    };
    let rules = vec![rules[0].clone(), Rule::new(sgd, vec![Target::Bias])];
    let found = stepped(rules, [0.0, 8.0], [-2.0, 0.0], DType::F32);
    assert_eq!(found, [[0.0, -1.0], [2.0, 0.0]]);
}

#[test]
fn trust_ratios_are_those_of_the_norms() {
    for dtype in types() {
        let model = Parameters {
            weight: param(&[3.0, 4.0], [1, 2], dtype),
            bias: param(&[0.0, 2.0], [2], dtype),
        };
        let mut grads = GradientsParams::new();
        let device = device().inner();
        grads.register(model.weight.id, tensor(&[0.6, 0.8], [1, 2], dtype, &device));
        grads.register(model.bias.id, tensor(&[0.0; 2], [2], dtype, &device));
        let ratios = trust_ratios(&model, &grads);
        assert_eq!(
            ratios.to_string(),
            "parameter        ‖w‖       ‖∇L‖   ‖w‖/‖∇L‖\n\
             weight       5.000e0    1.000e0    5.000e0\n\
             bias         2.000e0    0.000e0          -",
        );
        let json = serde_json::to_value(&ratios).unwrap();
        assert_eq!(json["parameters"][1]["weight"], 2.0);
        assert!(json["parameters"][1]["ratio"].is_null());

        let none = trust_ratios(&model, &GradientsParams::new());
        assert_eq!(none.parameters, []);
    }
}

/// Declarations, and what each says.
macro_rules! declared {
    ($($name:ident { $($body:tt)* })*) => {
        $(optimizer! { struct $name; $($body)* })*

        fn declared() -> Vec<Recipe> {
            vec![$($name::new().recipe()),*]
        }
    };
}

declared! {
    Sgd { update sgd(momentum: 0.9, weight_decay: 0.1); }
    Adam { update adam(); }
    AmsGrad { update adam(amsgrad: true); }
    AdamW { update adamw(); }
    AmsGradW { update adamw(amsgrad: true); }
    AdaGrad { update adagrad(lr_decay: 0.1); }
    RmsProp { update rmsprop(); }
    RmsPropAll { update rmsprop(momentum: 0.5, centered: true); }
    Adafactor { update adafactor(); }
    Adan { update adan(weight_decay: 0.1); }
    Lamb { update lamb(); }
    Lion { update lion(weight_decay: 0.1); }
    Muon { update muon(); update lion() for bias; }
    Lars { update lars(weight_decay: 0.1); update sgd(momentum: 0.9) for bias; }
    LarsPlain { update lars(momentum: 0); }
    LarsNesterov { update lars(nesterov: true, clip: true, trust_coefficient: 1); }
    Sign { update sign(); }
    Signum { update sign(momentum: 0.9); }
    Steepest { update steepest(); }
}

fn parameters(dtype: DType) -> Parameters {
    let wave = |count: u32, by: f64| {
        (0..count)
            .map(|at| (f64::from(at) * by).cos())
            .collect::<Vec<_>>()
    };
    Parameters {
        weight: param(&wave(12, 0.7), [3, 4], dtype),
        bias: param(&wave(4, 1.3), [4], dtype),
    }
}

fn gradients(model: &Parameters, step: u32, dtype: DType) -> GradientsParams {
    struct Waves(GradientsParams, f64, DType);
    impl ModuleVisitor for Waves {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let shape = param.val().dims();
            let count: usize = shape.iter().product();
            let values = (0..count).map(|at| (self.1 + at as f64).sin());
            let values: Vec<f64> = values.collect();
            let gradient = tensor(&values, shape, self.2, &param.val().device().inner());
            self.0.register(param.id, gradient);
        }
    }
    let mut waves = Waves(GradientsParams::new(), 0.37 * f64::from(step), dtype);
    model.visit(&mut waves);
    waves.0
}

fn numbers(model: &Parameters) -> Vec<f64> {
    let (weight, bias) = (model.weight.val().into_data(), model.bias.val().into_data());
    weight.iter::<f64>().chain(bias.iter::<f64>()).collect()
}

#[test]
fn the_state_of_every_rule_survives_a_checkpoint_to_the_bit() {
    let dtype = DType::F32;
    for recipe in declared() {
        let start = parameters(dtype);
        let mut updater = recipe.init(&start).unwrap();
        let mut model = start;
        for step in 0..3 {
            let grads = gradients(&model, step, dtype);
            model = updater.step(0.1, model, grads);
        }
        let saved = updater.to_record().into_bytes().unwrap();
        let record = UpdaterRecord::from_bytes(saved).unwrap();
        let mut resumed = recipe.init(&model).unwrap().load_record(record).unwrap();
        let mut other = model.clone();
        for step in 3..6 {
            let grads = gradients(&model, step, dtype);
            model = updater.step(0.1, model, grads);
            let grads = gradients(&other, step, dtype);
            other = resumed.step(0.1, other, grads);
        }
        assert_eq!(numbers(&model), numbers(&other), "{recipe}");
    }
}

#[test]
fn numbers_are_the_same_where_the_kernels_do_not_reach() {
    let run = |recipe: &Recipe, dtype| {
        let mut model = parameters(dtype);
        let mut updater = recipe.init(&model).unwrap();
        for step in 0..20 {
            let grads = gradients(&model, step, dtype);
            model = updater.step(0.05 / f64::from(step + 1), model, grads);
        }
        numbers(&model)
    };
    for recipe in declared() {
        let [single, others] =
            TYPES.map(|dtype| device().supports_dtype(dtype).then(|| run(&recipe, dtype)));
        let (Some(single), Some(others)) = (single, others) else {
            continue;
        };
        for (a, b) in single.iter().zip(&others) {
            assert!((a - b).abs() <= 1e-5, "{recipe}: {a} and {b}");
        }
    }
}

/// Burn's Adafactor and Muon panic on numbers that they do not like.
#[test]
fn no_number_of_a_configuration_file_makes_a_rule_panic() {
    let start = parameters(DType::F32);
    let mut refused = 0;
    for recipe in declared() {
        let whole = serde_json::to_value(&recipe).unwrap();
        let update = whole["rules"][0]["update"].as_object().unwrap();
        let (variant, fields) = update.iter().next().unwrap();
        let numbers = fields.as_object().unwrap().iter();
        for (name, _) in numbers.filter(|(_, value)| value.is_number()) {
            for value in [-1e39, -2.0, -1e-50, 0.0, 1e-50, 0.5, 1.0, 2.0, 1e30, 1e39] {
                let mut changed = whole.clone();
                changed["rules"][0]["update"][variant][name] = value.into();
                if name == "steps" {
                    changed["rules"][0]["update"][variant][name] = (value as u64 % 3).into();
                }
                let recipe: Recipe = serde_json::from_value(changed).unwrap();
                match recipe.init(&start) {
                    Ok(mut updater) => {
                        let mut model = start.clone();
                        for step in 0..3 {
                            let grads = gradients(&model, step, DType::F32);
                            model = updater.step(0.1, model, grads);
                        }
                    }
                    Err(OptimizerError::Range { parameter, .. }) => {
                        assert_eq!(parameter, name);
                        refused += 1;
                    }
                    // Nesterov's momentum of 0.
                    Err(error) => assert!(matches!(error, OptimizerError::Needs { .. }), "{error}"),
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn muon_refuses_what_is_no_matrix_and_names_it() {
    let model = parameters(DType::F32);
    let update = Muon::new().recipe().rules[0].update;
    let alone = Recipe::new(vec![Rule::new(update, vec![])]);
    let error = alone.init(&model).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`update muon(momentum: 0.95, nesterov: true, weight_decay: 0.1, steps: 5, adjust_lr: \
         original)` moves matrices alone, and not `bias`; give these another rule behind it, such \
         as `update adamw() for bias, norm, \"..\";`",
    );
    assert!(Muon::new().init(&model).is_ok());
}

#[test]
fn steepest_descent_is_more_than_a_module_optimizer_of_burns_can_do() {
    let error = Steepest::new().module_optimizer(&parameters(DType::F32));
    assert!(matches!(error, Err(OptimizerError::NotInBurn { .. })));
}

/// The mean square and the square of the mean differ by rounding alone here, and Burn's difference
/// falls below 0.
#[test]
fn centered_rmsprop_of_a_constant_gradient_stays_a_number() {
    let update = RmsPropAll::new().recipe().rules[0].update;
    // Every step is read back, which takes its time where a GPU is a program.
    let slow = kiln::device::name(&device()) == "wgpu";
    for dtype in types() {
        let mut pair = Pair::new([0.0, 0.0], &update, dtype);
        for _ in 0..if slow { 200 } else { 5000 } {
            let found = pair.step(1e-6, [0.1, -0.37]);
            assert!(found.iter().all(|x| x.is_finite()), "{found:?}");
        }
    }
}
