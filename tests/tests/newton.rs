//! Newton's method by conjugate gradients: minima that are known, saddles that are left.

use std::sync::LazyLock;

use kiln::burn::nn::{Linear, LinearConfig};
use kiln::burn::tensor::{FloatDType, TensorData};
use kiln::data::{DataError, Examples, Source, Target, digits};
use kiln::flatness::{
    CurvatureMatrix, Ending, FlatnessError, NewtonCg, Objective, Operator, newton_step,
};
use kiln::prelude::*;

/// In double precision; nothing on wgpu, which has none.
static DEVICE: LazyLock<Option<Device>> = LazyLock::new(|| {
    let mut device = default_device().expect("there is a device");
    if kiln::device::name(&device) == "wgpu" {
        return None;
    }
    let doubles = device.configure(FloatDType::F64);
    doubles.expect("nothing was computed yet");
    Some(device)
});

/// Rows of inputs, and a target for each.
struct Doubles {
    inputs: Vec<Vec<f64>>,
    targets: Vec<f64>,
    classes: Option<usize>,
}

impl Source for Doubles {
    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![self.inputs[0].len()]]
    }

    fn targets(&self) -> Vec<Target> {
        vec![match self.classes {
            Some(classes) => Target::Classes(classes, vec![]),
            None => Target::Values(vec![1]),
        }]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let (count, width) = (indices.len(), self.inputs[0].len());
        let inputs: Vec<f64> = indices
            .iter()
            .flat_map(|i| self.inputs[*i].clone())
            .collect();
        let targets: Vec<f64> = indices.iter().map(|i| self.targets[*i]).collect();
        Ok(Examples {
            inputs: vec![TensorData::new(inputs, [count, width])],
            targets: vec![match self.classes {
                Some(_) => {
                    let classes = targets.iter().map(|class| *class as i32);
                    TensorData::new(classes.collect::<Vec<i32>>(), [count])
                }
                None => TensorData::new(targets, [count, 1]),
            }],
        })
    }
}

model! {
    struct Regression { features: usize }
    input x: [features];
    let y = x -> linear(1, bias: false);
    output y;
    loss mse;
}

model! {
    struct Softmax;
    input x: [64];
    let y = x -> linear(10);
    output y;
    loss cross_entropy(label_smoothing: 0.1);
}

model! {
    struct Deep;
    input x: [64];
    let y = x -> linear(8) -> tanh -> linear(10);
    output y;
    loss cross_entropy;
}

fn numbers(vector: &Tensor<1>) -> Vec<f64> {
    vector.to_data().iter::<f64>().collect()
}

/// The first of the digits, from 0 to 1.
fn some_digits(count: usize) -> Doubles {
    let indices: Vec<usize> = (0..count).collect();
    let digits = digits().expect("the digits are built in");
    let examples = digits.gather(&indices).expect("it is in memory");
    let pixels: Vec<f64> = examples.inputs[0].iter::<f64>().collect();
    Doubles {
        inputs: pixels.chunks(64).map(<[f64]>::to_vec).collect(),
        targets: examples.targets[0].iter::<f64>().collect(),
        classes: Some(10),
    }
}

/// Two weights, for functions of the plane.
fn plane(device: &Device, x: f64, y: f64) -> Linear {
    let mut module = LinearConfig::new(1, 2).with_bias(false).init(device);
    let weight = Tensor::from_data(TensorData::new(vec![x, y], [1, 2]), device);
    module.weight = kiln::burn::module::Param::from_tensor(weight);
    module
}

fn coordinates(module: &Linear) -> [Tensor<1>; 2] {
    let weight: Tensor<1> = module.weight.val().flatten(0, 1);
    [weight.clone().narrow(0, 0, 1), weight.narrow(0, 1, 1)]
}

/// `(1/N) |X w - X w*|²` with `XᵀX` of eigenvalues from 1 to 10⁴, all different, and eigenvectors
/// that are no axes.
#[test]
fn a_quadratic_is_solved_in_one_step() {
    let Some(device) = &*DEVICE else { return };
    for size in [20, 500] {
        // Householder's reflection by u.
        let u: Vec<f64> = (0..size).map(|i| 1.0 + (i as f64).sin()).collect();
        let square: f64 = u.iter().map(|x| x * x).sum();
        let solution: Vec<f64> = (0..size).map(|i| (0.7 * i as f64).cos()).collect();
        let inputs: Vec<Vec<f64>> = (0..size)
            .map(|i| {
                let root = 10f64.powf(2.0 * i as f64 / (size - 1) as f64);
                let entry = |j| f64::from(i == j) - 2.0 * u[i] * u[j] / square;
                (0..size).map(|j| root * entry(j)).collect()
            })
            .collect();
        let dot = |row: &Vec<f64>| row.iter().zip(&solution).map(|(a, b)| a * b).sum();
        let targets = inputs.iter().map(dot).collect();
        let data = Doubles {
            inputs,
            targets,
            classes: None,
        };
        let model = RegressionConfig::new(size)
            .init(device)
            .expect("it is valid");
        let objective = Objective::new(&model, &data).expect("it fits");
        let there = newton_step(&objective).expect("it is convex");
        let off = numbers(&there).into_iter().zip(&solution);
        let off = off.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{size} weights: off by {off:e}");
        assert!(off < 1e-8, "{off:e}");

        // The truncated search takes more iterations, of fewer products.
        let minimum = NewtonCg::new()
            .curvature(CurvatureMatrix::GaussNewton)
            .products(100 * size)
            .minimise(&objective)
            .expect("it is convex");
        println!("{} iterations", minimum.history.len());
        assert!(minimum.converged() && minimum.history.len() < 30);

        let written = objective.at(there).expect("it fits").write(&model);
        let written = written.expect("it is the model");
        let loss = evaluate(&written, &data, 64).expect("it fits").loss;
        assert!(loss < 1e-12, "{loss:e}");
    }
}

/// `100 (y - x²)² + (1 - x)²` from (-1.2, 1), Rosenbrock 1960; the minimum is (1, 1). The Newton-CG
/// of SciPy takes 83 iterations.
#[test]
fn the_valley_of_rosenbrock() {
    let Some(device) = &*DEVICE else { return };
    let module = plane(device, -1.2, 1.0);
    let objective = Objective::plain(&module, vec![((), 1)], |module, ()| {
        let [x, y] = coordinates(module);
        (y - x.clone().square()).square() * 100.0 + (x.neg() + 1.0).square()
    })
    .expect("it has weights");
    let minimum = NewtonCg::new().minimise(&objective).expect("it is finite");
    println!("{} iterations", minimum.history.len());
    assert!(minimum.converged());
    assert!(minimum.history.len() < 90);
    assert_eq!(minimum.approximations.len(), 1);
    assert!(
        numbers(&minimum.weights)
            .iter()
            .all(|x| (x - 1.0).abs() < 1e-6)
    );
    let falls = |pair: &[kiln::flatness::NewtonIteration]| pair[1].loss < pair[0].loss;
    assert!(minimum.history.windows(2).all(falls));
}

/// `x² - y² + y⁴`, whose minima are (0, ±1/√2), at -1/4.
#[test]
fn a_saddle_is_left() {
    let Some(device) = &*DEVICE else { return };
    let module = plane(device, 1.0, 1e-3);
    let objective = Objective::plain(&module, vec![((), 1)], |module, ()| {
        let [x, y] = coordinates(module).map(|x| x.square());
        x - y.clone() + y.square()
    })
    .expect("it has weights");
    assert!(matches!(
        newton_step(&objective),
        Err(FlatnessError::Indefinite)
    ));
    for damping in [0.0, 0.1] {
        let minimum = NewtonCg::new().damping(damping).minimise(&objective);
        let minimum = minimum.expect("it is finite");
        println!(
            "{} iterations to {:?}",
            minimum.history.len(),
            minimum.weights.to_data()
        );
        assert!(minimum.converged());
        assert!((minimum.loss + 0.25).abs() < 1e-10);
        assert!(
            minimum
                .history
                .iter()
                .any(|iteration| iteration.negative_curvature)
        );
    }
}

/// To a gradient that gradient descent is far from after as many gradients as there were products.
#[test]
fn softmax_regression_on_digits() {
    let Some(device) = &*DEVICE else { return };
    let data = some_digits(300);
    let model = SoftmaxConfig::new().init(device).expect("it is valid");
    let objective = Objective::new(&model, &data).expect("it fits");
    let objective = objective.batch(300).expect("it is one");
    for curvature in [CurvatureMatrix::Hessian, CurvatureMatrix::GaussNewton] {
        let newton = NewtonCg::new().curvature(curvature).tolerance(1e-7);
        let minimum = newton.minimise(&objective).expect("it is finite");
        assert!(minimum.converged(), "{:?}", minimum.reason);
        assert!(minimum.gradient_norm <= 1e-7);
        let iterations = minimum.history.len();
        let products: usize = minimum.history.iter().map(|one| one.products).sum();
        println!("{iterations} iterations, {products} products");

        let top = kiln::flatness::top_eigenvalue(&objective).expect("it converges");
        let mut here = objective.clone();
        for _ in 0..iterations + products {
            let gradient = here.gradient().expect("it is finite");
            let there = here.weights() - gradient * (1.0 / top);
            here = here.at(there).expect("it fits");
        }
        let slow = kiln::flatness::gradient_norm(&here).expect("it is finite");
        println!("gradient descent: {slow:e}");
        assert!(slow > 1e3 * minimum.gradient_norm);

        let again = newton.minimise(&objective).expect("it is finite");
        assert_eq!(again.history, minimum.history);
        assert_eq!(numbers(&again.weights), numbers(&minimum.weights));
    }
}

#[test]
fn a_network_that_is_not_convex() {
    let Some(device) = &*DEVICE else { return };
    let data = some_digits(100);
    let model = DeepConfig::new().init(device).expect("it is valid");
    let objective = Objective::new(&model, &data).expect("it fits");
    for curvature in [CurvatureMatrix::Hessian, CurvatureMatrix::GaussNewton] {
        let newton = NewtonCg::new()
            .curvature(curvature)
            .damping(1e-2)
            .iterations(15);
        let minimum = newton.minimise(&objective).expect("it is finite");
        let losses: Vec<f64> = minimum.history.iter().map(|one| one.loss).collect();
        println!("{:?} after {losses:?}", minimum.loss);
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0]));
        assert!(minimum.loss < 0.05 * losses[0]);
        assert_eq!(minimum.reason, Ending::Iterations);
        let down = minimum.history.iter().any(|one| one.negative_curvature);
        assert_eq!(down, curvature == CurvatureMatrix::Hessian);
    }
}

/// With fewer examples than weights the Hessian is singular, and the step leads to the nearest of
/// the minima: `w + Xᵀ(XXᵀ)⁻¹(t - Xw)`.
#[test]
fn a_flat_valley_is_no_saddle() {
    let Some(device) = &*DEVICE else { return };
    for (examples, features) in [(1, 2), (5, 20), (30, 100), (64, 65)] {
        let wave = |i: usize, j: usize| (0.7 * ((i + 1) * (j + 2)).pow(2) as f64).sin();
        let row = |i| (0..features).map(|j| wave(i, j)).collect();
        let data = Doubles {
            inputs: (0..examples).map(row).collect(),
            targets: (0..examples).map(|i| (i as f64).cos()).collect(),
            classes: None,
        };
        let model = RegressionConfig::new(features)
            .init(device)
            .expect("it is valid");
        let objective = Objective::new(&model, &data).expect("it fits");
        let there = newton_step(&objective).expect("it is convex");
        let loss = objective.at(there.clone()).expect("it fits").loss();
        let loss = loss.expect("it is finite");
        println!("{examples} of {features}: {loss:e}");
        assert!(loss < 1e-16, "{loss:e}");
        if examples == 1 {
            let (x, w) = (&data.inputs[0], numbers(&objective.weights()));
            let along: f64 = x.iter().zip(&w).map(|(x, w)| x * w).sum();
            let square: f64 = x.iter().map(|x| x * x).sum();
            let share = (data.targets[0] - along) / square;
            let nearest = w.iter().zip(x).map(|(w, x)| w + share * x);
            let off = numbers(&there).into_iter().zip(nearest);
            assert!(off.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-12);
        }
    }
    // A convex loss, whose Hessian has a null space for every class's shift.
    let data = some_digits(40);
    let model = SoftmaxConfig::new().init(device).expect("it is valid");
    let objective = Objective::new(&model, &data).expect("it fits");
    let there = newton_step(&objective).expect("it is convex");
    let step = there - objective.weights();
    let left = objective.hessian().product(&step).expect("it is finite");
    let left = left + objective.gradient().expect("it is finite");
    let left = left.abs().max().into_scalar::<f64>();
    println!("softmax: {left:e}");
    assert!(left < 1e-8, "{left:e}");
}

/// `x² + y`, which falls for ever.
#[test]
fn a_step_without_end_is_an_error() {
    let Some(device) = &*DEVICE else { return };
    let module = plane(device, 1.0, 1.0);
    let objective = Objective::plain(&module, vec![((), 1)], |module, ()| {
        let [x, y] = coordinates(module);
        x.square() + y
    })
    .expect("it has weights");
    let error = newton_step(&objective).expect_err("there is no minimum");
    println!("{error}");
    assert!(matches!(error, FlatnessError::Unsolved { residual, .. } if residual > 0.1));
}

/// Where the loss does not follow its gradient: `-∇L` is tried where the curvature misleads, and
/// where nothing helps, it ends there and says so.
#[test]
fn where_newtons_step_does_not_help() {
    let Some(device) = &*DEVICE else { return };
    let module = plane(device, 0.0, 0.0);
    for (slopes, helps) in [([-0.1, 1.0], true), ([-1.0, -1.0], false)] {
        // The gradient of x + y + x²/2 + 50 y² and the value of a plane.
        let objective = Objective::plain(&module, vec![((), 1)], move |module, ()| {
            let [x, y] = coordinates(module);
            let value = x.clone().detach() * slopes[0] + y.clone().detach() * slopes[1];
            let slope = x.clone() + y.clone() + x.square() * 0.5 + y.square() * 50.0;
            value + slope.clone() - slope.detach()
        })
        .expect("it has weights");
        let minimum = NewtonCg::new().iterations(1).minimise(&objective);
        let minimum = minimum.expect("it is finite");
        assert!(minimum.damping > 0.1, "{}", minimum.damping);
        if helps {
            assert_eq!(minimum.reason, Ending::Iterations);
            let [x, y] = numbers(&minimum.weights)[..] else {
                panic!("there are two")
            };
            assert!(x == y && x < 0.0 && minimum.loss < 0.0);
        } else {
            assert_eq!(minimum.reason, Ending::Stalled);
            assert_eq!(numbers(&minimum.weights), [0.0, 0.0]);
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let Some(device) = &*DEVICE else { return };
    let data = some_digits(10);
    let model = SoftmaxConfig::new().init(device).expect("it is valid");
    let objective = Objective::new(&model, &data).expect("it fits");
    for (newton, name) in [
        (NewtonCg::new().damping(-1.0), "damping"),
        (NewtonCg::new().damping(f64::NAN), "damping"),
        (NewtonCg::new().tolerance(f64::INFINITY), "tolerance"),
        (NewtonCg::new().iterations(0), "iterations"),
        (NewtonCg::new().products(0), "products"),
    ] {
        match newton.minimise(&objective) {
            Err(FlatnessError::Argument { name: found, .. }) => assert_eq!(found, name),
            other => panic!("{other:?}"),
        }
    }
    let nowhere = objective
        .at(objective.weights() * f64::NAN)
        .expect("it fits");
    let found = NewtonCg::new().minimise(&nowhere);
    assert!(matches!(found, Err(FlatnessError::NonFinite { .. })));
    let other = DeepConfig::new().init(device).expect("it is valid");
    assert!(objective.write(&other).is_err());
}
