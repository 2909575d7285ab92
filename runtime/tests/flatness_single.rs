//! Closed forms in single precision, on every device: the products through the kernels of each.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use kiln::burn;
use kiln::burn::module::Param;
use kiln::burn::tensor::TensorData;
use kiln::data::{Source, Table};
use kiln::flatness::{
    CriticalPoint, Ending, FilterNormalisation, Lanczos, NewtonCg, Objective, Operator, Plane,
    SamSharpness, Slice, Trace, Trajectory, newton_step,
};
use kiln::layer::Layer;
use kiln::model::Size;
use kiln::prelude::*;

const EXAMPLES: usize = 23;
const FEATURES: usize = 5;
const OUTPUTS: usize = 3;

model! {
    struct Regression { features: usize = 5, outputs: usize = 3 }
    input x: [features];
    let y = x -> linear(outputs, bias: false);
    output y;
    loss mse;
}

model! {
    struct Softmax { features: usize = 5, outputs: usize = 3 }
    input x: [features];
    let y = x -> linear(outputs, bias: false);
    output y;
    loss cross_entropy;
}

/// Numbers in (-1, 1) from a linear congruential generator with the constants of Knuth's MMIX.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32) / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

fn read(vector: &Tensor<1>) -> Vec<f64> {
    vector.to_data().iter::<f64>().collect()
}

fn vector(seed: u64, size: usize, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(numbers(seed, size), [size]), device)
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let off = (found - expected).abs() / (1.0 + expected.abs());
        assert!(off < 1e-4, "{found} is not {expected}");
    }
}

/// `(2/(N K)) Xᵀ X` for each output.
#[test]
fn linear_regression() {
    let device = default_device().unwrap();
    let model = RegressionConfig::new().init(&device).unwrap();
    let x = numbers(1, EXAMPLES * FEATURES);
    let y = numbers(2, EXAMPLES * OUTPUTS);
    let data = Table::values(x.clone(), &[FEATURES], y, &[OUTPUTS]).unwrap();
    let objective = Objective::new(&model, &data).unwrap().batch(10).unwrap();
    let v = vector(3, FEATURES * OUTPUTS, &device);
    let known = read(&v);
    let mut expected = vec![0.0; FEATURES * OUTPUTS];
    for x in x.chunks(FEATURES) {
        for k in 0..OUTPUTS {
            let along = x.iter().enumerate();
            let along: f64 = along
                .map(|(j, x)| f64::from(*x) * known[j * OUTPUTS + k])
                .sum();
            for (i, x) in x.iter().enumerate() {
                expected[i * OUTPUTS + k] +=
                    2.0 / (EXAMPLES * OUTPUTS) as f64 * f64::from(*x) * along;
            }
        }
    }
    close(&read(&objective.hessian().product(&v).unwrap()), &expected);
    close(
        &read(&objective.gauss_newton().product(&v).unwrap()),
        &expected,
    );
    assert!(objective.hessian().approximations().is_empty());
}

/// `2 w` for `x = 1` and `y = 0`, of which each of many pieces gives a share.
#[test]
fn many_pieces_add_up() {
    const PIECES: usize = 2000;
    let device = default_device().unwrap();
    let model = RegressionConfig::new().with_features(1).with_outputs(1);
    let model = model.init(&device).unwrap();
    let data = Table::values(vec![1.0; PIECES], &[1], vec![0.0; PIECES], &[1]).unwrap();
    let objective = Objective::new(&model, &data).unwrap().batch(1).unwrap();
    let expected = 2.0 * read(&objective.weights())[0];
    let found = read(&objective.gradient().unwrap())[0];
    // Mesa's compiler takes the sum's correction for zero.
    let on_gpu = kiln::device::name(&device) == "wgpu";
    let tolerance = if on_gpu { 1e-5 } else { 4e-7 };
    assert!(
        (found / expected - 1.0).abs() < tolerance,
        "{found} is not {expected}"
    );
}

/// `(1/N) Σ (diag(p) - p pᵀ) ⊗ x xᵀ`, and of the Fisher matrix `(1/N) Σ (p - q)(p - q)ᵀ ⊗ x xᵀ`.
#[test]
fn softmax_regression() {
    let device = default_device().unwrap();
    let model = SoftmaxConfig::new().init(&device).unwrap();
    let x = numbers(4, EXAMPLES * FEATURES);
    let labels: Vec<usize> = (0..EXAMPLES).map(|i| i % OUTPUTS).collect();
    let data = Table::classes(x.clone(), &[FEATURES], labels.clone(), OUTPUTS).unwrap();
    let objective = Objective::new(&model, &data).unwrap().batch(10).unwrap();
    let size = FEATURES * OUTPUTS;
    let (w, v) = (read(&objective.weights()), vector(5, size, &device));
    let known = read(&v);
    let (mut hessian, mut fisher) = (vec![0.0; size], vec![0.0; size]);
    for (x, label) in x.chunks(FEATURES).zip(labels) {
        let at = |w: &[f64], k| {
            let x = x.iter().enumerate();
            x.map(|(j, x)| f64::from(*x) * w[j * OUTPUTS + k])
                .sum::<f64>()
        };
        let scores: Vec<f64> = (0..OUTPUTS).map(|k| at(&w, k).exp()).collect();
        let sum: f64 = scores.iter().sum();
        let p: Vec<f64> = scores.iter().map(|score| score / sum).collect();
        let dz: Vec<f64> = (0..OUTPUTS).map(|k| at(&known, k)).collect();
        let mean: f64 = p.iter().zip(&dz).map(|(p, dz)| p * dz).sum();
        let slope = mean - dz[label];
        for (i, x) in x.iter().enumerate() {
            for k in 0..OUTPUTS {
                let share = f64::from(*x) / EXAMPLES as f64;
                let wrong = p[k] - f64::from(u8::from(k == label));
                hessian[i * OUTPUTS + k] += p[k] * (dz[k] - mean) * share;
                fisher[i * OUTPUTS + k] += wrong * slope * share;
            }
        }
    }
    close(&read(&objective.hessian().product(&v).unwrap()), &hessian);
    close(
        &read(&objective.gauss_newton().product(&v).unwrap()),
        &hessian,
    );
    close(&read(&objective.fisher().product(&v).unwrap()), &fisher);
}

/// With fewer examples than weights all errors can be zero, and the Hessian is singular.
#[test]
fn a_newton_step_without_full_rank() {
    let device = default_device().unwrap();
    for (examples, features) in [(1, 4), (3, 5), (20, 60), (60, 64)] {
        let config = RegressionConfig::new().with_features(features);
        let model = config.init(&device).unwrap();
        for seed in 0..5 {
            let x = numbers(10 + seed, examples * features);
            let y = numbers(20 + seed, examples * OUTPUTS);
            let data = Table::values(x, &[features], y, &[OUTPUTS]).unwrap();
            let objective = Objective::new(&model, &data).unwrap();
            let there = objective.at(newton_step(&objective).unwrap()).unwrap();
            let loss = there.loss().unwrap();
            assert!(loss < 1e-8, "{examples} of {features}: {loss:e}");
        }
    }
}

/// Where the gradient cannot vanish for rounding, it ends by itself, no higher than it was.
#[test]
fn a_minimum_within_rounding_ends_the_search() {
    let device = default_device().unwrap();
    let model = SoftmaxConfig::new().init(&device).unwrap();
    let x = numbers(4, EXAMPLES * FEATURES);
    // More than one answer to the same question, so that the minimum is finite.
    let x: Vec<f32> = x.iter().chain(&x).chain(&x).copied().collect();
    let labels = (0..3 * EXAMPLES).map(|i| (i / EXAMPLES + i) % OUTPUTS);
    let data = Table::classes(x, &[FEATURES], labels.collect(), OUTPUTS).unwrap();
    let objective = Objective::new(&model, &data).unwrap();
    for newton in [NewtonCg::new(), NewtonCg::new().damping(1e-3)] {
        let minimum = newton.tolerance(0.0).minimise(&objective).unwrap();
        let slope = minimum.gradient_norm;
        println!(
            "{:?}, {slope:e}, {} iterations",
            minimum.reason,
            minimum.history.len()
        );
        assert!(matches!(
            minimum.reason,
            Ending::Stalled | Ending::Converged
        ));
        assert!(slope < 1e-5, "{slope:e}");
        let least = minimum.history.iter().map(|one| one.loss);
        let least = least.fold(f64::INFINITY, f64::min);
        let rounding = 4.0 * f64::from(f32::EPSILON) * minimum.loss;
        assert!(minimum.loss <= least + rounding);
        assert!(minimum.history.iter().all(|one| one.gradient_norm >= slope));
    }
}

/// The null space of a softmax regression is no saddle.
#[test]
fn a_singular_hessian_is_undecided() {
    let device = default_device().unwrap();
    let model = SoftmaxConfig::new().init(&device).unwrap();
    let x = numbers(4, EXAMPLES * FEATURES);
    let labels: Vec<usize> = (0..EXAMPLES).map(|i| i % OUTPUTS).collect();
    let data = Table::classes(x, &[FEATURES], labels, OUTPUTS).unwrap();
    let objective = Objective::new(&model, &data).unwrap().batch(1).unwrap();
    for seed in 0..5 {
        let search = Lanczos::new().top(1).bottom(1).seed(seed);
        let spectrum = search.run(&objective.hessian()).unwrap();
        assert_eq!(spectrum.critical_point(), CriticalPoint::Undecided);
    }
    newton_step(&objective).unwrap();
}

#[derive(Module, Debug)]
struct Point {
    weight: Param<Tensor<1>>,
}

/// `Σ_r log(1 + exp(x_r · w))`, convex and flat but for three directions, by differences of gradients
/// far from its minimum.
#[test]
fn differences_of_a_convex_loss_are_no_saddle() {
    let device = default_device().unwrap();
    for seed in 0..10 {
        let rows = TensorData::new(numbers(30 + seed, 3 * 40), [3, 40]);
        let rows = Tensor::<2>::from_data(rows, &device.clone().autodiff());
        let point = Point {
            weight: Param::from_tensor(vector(50 + seed, 40, &device) * 3.0),
        };
        let loss = move |point: &Point, ()| {
            let weight = point.weight.val().unsqueeze_dim::<2>(1);
            let margin = rows.clone().matmul(weight);
            ((margin.exp() + 1.0).log()).sum()
        };
        let objective = Objective::plain(&point, vec![((), 1)], loss).unwrap();
        let search = Lanczos::new().top(1).bottom(1);
        let spectrum = search.run(&objective.hessian()).unwrap();
        let smallest = &spectrum.bottom[0];
        println!("{:e} ± {:e}", smallest.value, smallest.residual);
        assert_eq!(spectrum.critical_point(), CriticalPoint::Undecided);
    }
}

/// `Σ λ_i w_i² / 2` at 0, whose Hessian has the eigenvalues `λ`: the differences of a plain module.
#[test]
fn a_quadratic() {
    let device = default_device().unwrap();
    let lambda = [4.0f32, 3.0, 1.0, 0.5, 0.25, 0.125];
    let scale = Tensor::<1>::from_floats(lambda, &device.clone().autodiff());
    let point = Point {
        weight: Param::from_tensor(Tensor::zeros([6], &device)),
    };
    let objective = Objective::plain(&point, vec![((), 1)], move |point: &Point, ()| {
        let weight = point.weight.val();
        (weight.square() * scale.clone()).sum() * 0.5
    });
    let objective = objective.unwrap();
    let hessian = objective.hessian();
    let spectrum = Lanczos::new()
        .top(1)
        .bottom(1)
        .seed(1)
        .run(&hessian)
        .unwrap();
    close(
        &[spectrum.top[0].value, spectrum.bottom[0].value],
        &[4.0, 0.125],
    );
    // A diagonal matrix, of which every vector of signs tells the trace.
    let trace = Trace::hutchinson().seed(2).run(&hessian).unwrap();
    close(&[trace.trace], &[8.875]);
    let sam = SamSharpness::maximised()
        .rho(0.5)
        .seed(3)
        .run(&objective)
        .unwrap();
    let expected = 0.5 * 4.0 * 0.25;
    assert!((sam.sharpness - expected).abs() < 1e-2, "{}", sam.sharpness);
    let along = Tensor::<1>::from_floats([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], &device);
    let profile = Slice::new().points(5).run(&objective, &along).unwrap();
    let found: Vec<f64> = profile.losses.iter().map(|loss| loss.unwrap()).collect();
    close(&found, &[2.0, 0.5, 0.0, 0.5, 2.0]);
}

/// A linear layer and tanh, without a rule.
#[derive(Module, Debug)]
struct Squash {
    weight: Param<Tensor<2>>,
}

#[derive(burn::config::Config, Debug)]
struct SquashConfig {}

impl Layer for Squash {
    type Config = SquashConfig;
    type Input = Tensor<2>;
    type Output = Tensor<2>;

    fn output(_: &SquashConfig, _: &[Size]) -> Result<Vec<Size>, String> {
        Ok(vec![Size::Fixed(4)])
    }

    fn build(_: &SquashConfig, input: &[Size], device: &Device) -> Self {
        let width = input[0].fixed().unwrap();
        let weight = Tensor::<1>::from_data(numbers(30, width * 4).as_slice(), device);
        Squash {
            weight: Param::from_tensor(weight.reshape([width, 4]) * 0.02),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        input.matmul(self.weight.val()).tanh()
    }
}

model! {
    struct Own { features: usize = 64 }
    input x: [features];
    let y = x -> first: Squash as [4] -> linear(3, bias: false);
    output y;
    loss cross_entropy;
}

model! {
    struct Known { features: usize = 64 }
    input x: [features];
    let y = x -> first: linear(4, bias: false) -> tanh -> linear(3, bias: false);
    output y;
    loss cross_entropy;
}

/// Large numbers go into the layer, and small weights move: neither they nor the number of examples
/// tell how far.
#[test]
fn a_first_layer_without_a_rule_on_raw_pixels() {
    let device = default_device().unwrap();
    let own = OwnConfig::new().init(&device).unwrap();
    let mut known = KnownConfig::new().init(&device).unwrap();
    known.first.weight = own.first.weight.clone();
    let pixels: Vec<f32> = numbers(31, 200 * 64)
        .iter()
        .map(|x| 128.0 + 127.0 * x)
        .collect();
    let labels: Vec<usize> = (0..200).map(|i| i % 3).collect();
    let data = Table::classes(pixels, &[64], labels, 3).unwrap();
    let expected = Objective::new(&known, &data).unwrap();
    let own = Objective::new(&own, &data).unwrap();
    let own = own.at(expected.weights()).unwrap();
    let v = vector(32, own.size(), &device);
    let expected = read(&expected.hessian().product(&v).unwrap());
    let length = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
    for batch in [20, 200] {
        let own = own.clone().batch(batch).unwrap();
        let found = read(&own.hessian().product(&v).unwrap());
        let off = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2));
        let off = off.sum::<f64>().sqrt() / length;
        println!("off by {off:e}");
        assert!(off < 1e-2, "in batches of {batch} off by {off:e}");
    }
}

/// Where all weights are zero, their length is no measure of how far to go.
#[test]
fn differences_at_zero_weights() {
    let device = default_device().unwrap();
    let model = SoftmaxConfig::new()
        .with_features(60)
        .init(&device)
        .unwrap();
    let x = numbers(33, EXAMPLES * 60);
    let labels: Vec<usize> = (0..EXAMPLES).map(|i| i % OUTPUTS).collect();
    let data = Table::classes(x, &[60], labels, OUTPUTS).unwrap();
    let all: Vec<usize> = (0..EXAMPLES).collect();
    let place = device.clone().autodiff();
    let batch = Batch::<Softmax>::upload(data.gather(&all).unwrap(), &place).unwrap();
    let plain = Objective::plain(&model, vec![(batch, EXAMPLES)], |model, batch| {
        Model::loss(model, model.forward(batch.input), batch.target)
    });
    let (plain, declared) = (plain.unwrap(), Objective::new(&model, &data).unwrap());
    let zeros = plain.weights().zeros_like();
    let [plain, declared] = [plain, declared].map(|it| it.at(zeros.clone()).unwrap());
    let v = vector(34, plain.size(), &device);
    let [found, expected] = [plain, declared].map(|it| read(&it.hessian().product(&v).unwrap()));
    let length = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
    let off = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2));
    let off = off.sum::<f64>().sqrt() / length;
    println!("off by {off:e}");
    assert!(off < 3e-3, "{off:e}");
}

/// A user's vector may come in another precision.
#[test]
fn vectors_of_another_precision_are_taken() {
    let device = default_device().unwrap();
    if kiln::device::name(&device) == "wgpu" {
        return;
    }
    let model = SoftmaxConfig::new().init(&device).unwrap();
    let x = numbers(4, EXAMPLES * FEATURES);
    let labels: Vec<usize> = (0..EXAMPLES).map(|i| i % OUTPUTS).collect();
    let data = Table::classes(x, &[FEATURES], labels, OUTPUTS).unwrap();
    let objective = Objective::new(&model, &data).unwrap();
    let v = vector(35, objective.size(), &device);
    let wide = v.clone().cast(burn::tensor::DType::F64);
    let product = |v| read(&objective.hessian().product(v).unwrap());
    assert_eq!(product(&wide), product(&v));
    let slice = Slice::new().points(3);
    let losses = |v| slice.run(&objective, v).unwrap().losses;
    assert_eq!(losses(&wide), losses(&v));
    let between = slice.between(&objective, &wide, &v).unwrap();
    assert_eq!(between.losses[0], between.losses[2]);
    let plane = Plane::new().points(3);
    let filters = FilterNormalisation::new();
    let other = filters.random(&objective, 1).unwrap();
    let losses = |v: &Tensor<1>| {
        let pair = [v.clone(), other.clone()];
        plane.run(&objective, &pair).unwrap().losses
    };
    assert_eq!(losses(&wide), losses(&v));
    assert_eq!(
        read(&filters.of(&objective, &wide).unwrap()),
        read(&filters.of(&objective, &v).unwrap())
    );
    let path = [wide, other.clone(), v * 2.0 + other * 3.0];
    assert!(Trajectory::new(&path).is_ok());
}
