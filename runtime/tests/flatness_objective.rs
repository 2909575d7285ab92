//! Products of matrices that are known in closed form, in double precision.

use std::sync::LazyLock;

use kiln::burn::module::Module;
use kiln::burn::tensor::{FloatDType, TensorData};
use kiln::data::{DataError, Examples, Source, Target};
use kiln::flatness::{Approximation, FlatnessError, Objective, Operator};
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

fn device() -> Option<Device> {
    DEVICE.clone()
}

/// Numbers in (-1, 1): a linear congruential generator with the constants of Knuth's MMIX.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Examples in double precision.
struct Doubles {
    inputs: Vec<Vec<f64>>,
    targets: Vec<Vec<f64>>,
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
            None => Target::Values(vec![self.targets[0].len()]),
        }]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let rows = |rows: &[Vec<f64>]| {
            let values: Vec<f64> = indices.iter().flat_map(|i| rows[*i].clone()).collect();
            TensorData::new(values, [indices.len(), rows[0].len()])
        };
        let targets = match self.classes {
            Some(_) => {
                let classes = indices.iter().map(|i| self.targets[*i][0] as i32);
                TensorData::new(classes.collect::<Vec<i32>>(), [indices.len()])
            }
            None => rows(&self.targets),
        };
        Ok(Examples {
            inputs: vec![rows(&self.inputs)],
            targets: vec![targets],
        })
    }
}

const EXAMPLES: usize = 23;
const FEATURES: usize = 5;
const OUTPUTS: usize = 3;

fn regression() -> Doubles {
    let mut numbers = Numbers(1);
    Doubles {
        inputs: (0..EXAMPLES).map(|_| numbers.many(FEATURES)).collect(),
        targets: (0..EXAMPLES).map(|_| numbers.many(OUTPUTS)).collect(),
        classes: None,
    }
}

fn classification() -> Doubles {
    let mut numbers = Numbers(2);
    Doubles {
        inputs: (0..EXAMPLES).map(|_| numbers.many(FEATURES)).collect(),
        targets: (0..EXAMPLES).map(|i| vec![(i % OUTPUTS) as f64]).collect(),
        classes: Some(OUTPUTS),
    }
}

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
    loss cross_entropy(label_smoothing: 0.1);
}

model! {
    struct Deep { features: usize = 5, outputs: usize = 3 }
    input x: [features];
    let y = x -> first: linear(7) -> norm: batch_norm -> relu -> last: linear(outputs);
    output y;
    loss cross_entropy;
}

fn numbers(vector: &Tensor<1>) -> Vec<f64> {
    vector.to_data().iter::<f64>().collect()
}

/// `|a - b| / (1 + |b|)`, the largest.
fn off(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    pairs
        .map(|(a, b)| (a - b).abs() / (1.0 + b.abs()))
        .fold(0.0, f64::max)
}

fn vector(device: &Device, seed: u64, size: usize) -> Tensor<1> {
    let values = Numbers(seed).many(size);
    Tensor::from_data(TensorData::new(values, [size]), device)
}

/// `(2/(N K)) Xᵀ X` for each output; a weight is `[features, outputs]`.
#[test]
fn the_hessian_of_linear_regression_with_several_outputs() {
    let Some(device) = device() else { return };
    let model = RegressionConfig::new().init(&device).unwrap();
    let data = regression();
    let size = FEATURES * OUTPUTS;
    let v = vector(&device, 5, size);
    let known = numbers(&v);
    let mut expected = vec![0.0; size];
    for x in &data.inputs {
        for k in 0..OUTPUTS {
            let dot: f64 = (0..FEATURES).map(|j| x[j] * known[j * OUTPUTS + k]).sum();
            for i in 0..FEATURES {
                expected[i * OUTPUTS + k] += 2.0 / (EXAMPLES * OUTPUTS) as f64 * x[i] * dot;
            }
        }
    }
    // 23 is no multiple of 10: the last batch is a smaller one, and counts less.
    for batch in [1, 10, 23, 100] {
        let objective = Objective::new(&model, &data).unwrap().batch(batch).unwrap();
        for operator in [objective.hessian(), objective.gauss_newton()] {
            let found = numbers(&operator.product(&v).unwrap());
            assert!(off(&found, &expected) < 1e-12, "{found:?}\n{expected:?}");
            assert_eq!(operator.approximations(), []);
        }
    }
}

/// `(1/N) Σ (diag(p) - p pᵀ) ⊗ x xᵀ`, and of the Fisher matrix `(1/N) Σ (p - q)(p - q)ᵀ ⊗ x xᵀ`.
#[test]
fn the_matrices_of_softmax_regression() {
    let Some(device) = device() else { return };
    let model = SoftmaxConfig::new().init(&device).unwrap();
    let data = classification();
    let size = FEATURES * OUTPUTS;
    let objective = Objective::new(&model, &data).unwrap().batch(10).unwrap();
    let (w, v) = (numbers(&objective.weights()), vector(&device, 6, size));
    let known = numbers(&v);
    let (mut loss, mut gradient) = (0.0, vec![0.0; size]);
    let (mut hessian, mut fisher) = (vec![0.0; size], vec![0.0; size]);
    for (x, target) in data.inputs.iter().zip(&data.targets) {
        let at = |w: &[f64], k| {
            (0..FEATURES)
                .map(|j| x[j] * w[j * OUTPUTS + k])
                .sum::<f64>()
        };
        let scores: Vec<f64> = (0..OUTPUTS).map(|k| at(&w, k)).collect();
        let sum: f64 = scores.iter().map(|z| z.exp()).sum();
        let p: Vec<f64> = scores.iter().map(|z| z.exp() / sum).collect();
        let q = |k: usize| 0.9 * f64::from(k as f64 == target[0]) + 0.1 / OUTPUTS as f64;
        loss -= (0..OUTPUTS).map(|k| q(k) * p[k].ln()).sum::<f64>() / EXAMPLES as f64;
        let dz: Vec<f64> = (0..OUTPUTS).map(|k| at(&known, k)).collect();
        let mean: f64 = p.iter().zip(&dz).map(|(p, dz)| p * dz).sum();
        let slope: f64 = (0..OUTPUTS).map(|k| (p[k] - q(k)) * dz[k]).sum();
        for (i, x) in x.iter().enumerate() {
            for k in 0..OUTPUTS {
                let at = i * OUTPUTS + k;
                gradient[at] += (p[k] - q(k)) * x / EXAMPLES as f64;
                hessian[at] += p[k] * (dz[k] - mean) * x / EXAMPLES as f64;
                fisher[at] += (p[k] - q(k)) * slope * x / EXAMPLES as f64;
            }
        }
    }
    let (found, slope) = objective.loss_and_gradient().unwrap();
    assert!((found - loss).abs() < 1e-12 && off(&numbers(&slope), &gradient) < 1e-12);
    assert!((objective.loss().unwrap() - loss).abs() < 1e-12);
    for (operator, expected) in [
        (objective.hessian(), &hessian),
        (objective.gauss_newton(), &hessian),
        (objective.fisher(), &fisher),
    ] {
        let found = numbers(&operator.product(&v).unwrap());
        assert!(off(&found, expected) < 1e-12, "{found:?}\n{expected:?}");
    }
}

/// Behind a layer that is not linear, what the Gauss-Newton matrix leaves out is there; differences of
/// gradients have all of it, and the exact product is nearer to the truth than they are.
#[test]
fn the_hessian_of_a_deep_network_is_that_of_its_gradients() {
    let Some(device) = device() else { return };
    let model = DeepConfig::new().init(&device).unwrap();
    let data = classification();
    for training in [false, true] {
        let mut objective = Objective::new(&model, &data).unwrap().batch(12).unwrap();
        if training {
            objective = objective.with_batch_statistics().unwrap();
        }
        let (v, w) = (vector(&device, 7, objective.size()), objective.weights());
        let hessian = objective.hessian();
        let found = numbers(&hessian.product(&v).unwrap());
        let h = 1e-5;
        let at = |by: f64| objective.at(w.clone() + v.clone() * by).unwrap();
        let difference = at(h).gradient().unwrap() - at(-h).gradient().unwrap();
        let expected = numbers(&(difference / (2.0 * h)));
        assert!(off(&found, &expected) < 1e-8, "{found:?}\n{expected:?}");
        let slope = numbers(&objective.gradient().unwrap());
        let along: f64 = slope.iter().zip(numbers(&v)).map(|(g, v)| g * v).sum();
        let difference = (at(h).loss().unwrap() - at(-h).loss().unwrap()) / (2.0 * h);
        assert!((along - difference).abs() < 1e-8, "{along} {difference}");

        let u = vector(&device, 8, objective.size());
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mirrored = numbers(&hessian.product(&u).unwrap());
        let (a, b) = (dot(&numbers(&u), &found), dot(&numbers(&v), &mirrored));
        assert!((a - b).abs() < 1e-12, "{a} {b}");

        let gauss_newton = numbers(&objective.gauss_newton().product(&v).unwrap());
        assert!(off(&gauss_newton, &found) > 1e-3);
        assert!(dot(&gauss_newton, &numbers(&v)) >= 0.0);

        let both = hessian.products(&[v.clone(), u.clone()]).unwrap();
        assert_eq!(numbers(&both[0]), found);
        assert_eq!(numbers(&both[1]), mirrored);
    }
}

/// A matrix's block is what the rows and columns of the layer's parameters say.
#[test]
fn a_layer_alone_is_a_block_of_the_matrix() {
    let Some(device) = device() else { return };
    let model = DeepConfig::new().init(&device).unwrap();
    let data = classification();
    let objective = Objective::new(&model, &data).unwrap();
    let slices = objective.parameters();
    let paths: Vec<_> = slices.iter().map(|slice| slice.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "first.weight",
            "first.bias",
            "norm.gamma",
            "norm.beta",
            "last.weight",
            "last.bias"
        ]
    );
    let layers = objective.layers().unwrap();
    let names: Vec<_> = layers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["first", "norm", "last"]);
    for (name, layer) in layers
        .iter()
        .chain([&("last".to_owned(), objective.only("last.*").unwrap())])
    {
        let of_layer = |path: &str| path.split('.').next() == Some(name);
        let own = slices.iter().filter(|slice| of_layer(&slice.path));
        let (start, end) = own.fold((usize::MAX, 0), |(start, end), slice| {
            (start.min(slice.range.start), end.max(slice.range.end))
        });
        assert_eq!(layer.size(), end - start);
        let v = vector(&device, 9, end - start);
        let mut whole = vec![0.0; objective.size()];
        whole[start..end].copy_from_slice(&numbers(&v));
        let whole = Tensor::from_data(TensorData::new(whole, [objective.size()]), &device);
        let expected = numbers(&objective.hessian().product(&whole).unwrap());
        let found = numbers(&layer.hessian().product(&v).unwrap());
        assert!(off(&found, &expected[start..end]) < 1e-12);
        let weights = numbers(&objective.weights());
        assert_eq!(numbers(&layer.weights()), weights[start..end]);
    }
    let Err(error) = objective.only("tail.*") else {
        panic!()
    };
    assert_eq!(
        error.to_string(),
        "no parameter matches \"tail.*\"; the model's trainable parameters are `first.weight`, \
         `first.bias`, `norm.gamma`, `norm.beta`, `last.weight`, `last.bias`"
    );
}

#[test]
fn a_module_that_was_not_declared_has_differences_and_says_so() {
    let Some(device) = device() else { return };
    let model = DeepConfig::new().init(&device).unwrap();
    let data = classification();
    let batches = [0..12, 12..23].map(|range| {
        let indices: Vec<usize> = range.collect();
        let batch =
            Batch::<Deep>::upload(data.gather(&indices).unwrap(), &device.clone().autodiff());
        (batch.unwrap(), indices.len())
    });
    let plain = Objective::plain(&model, batches.into(), |model, batch| {
        Model::loss(model, model.forward(batch.input), batch.target)
    });
    let plain = plain.unwrap();
    let declared = Objective::new(&model, &data).unwrap();
    assert!((plain.loss().unwrap() - declared.loss().unwrap()).abs() < 1e-14);
    let v = vector(&device, 10, plain.size());
    let hessian = plain.hessian();
    let found = numbers(&hessian.product(&v).unwrap());
    let expected = numbers(&declared.hessian().product(&v).unwrap());
    assert!(off(&found, &expected) < 1e-8, "{found:?}\n{expected:?}");
    assert_eq!(hessian.approximations(), [Approximation::Gradients]);
    assert_eq!(
        numbers(&hessian.product(&v.zeros_like()).unwrap()),
        vec![0.0; plain.size()]
    );
    let error = plain.gauss_newton().product(&v).unwrap_err();
    assert!(matches!(error, FlatnessError::Undeclared), "{error}");
    assert!(plain.with_batch_statistics().is_err());
    let each = Objective::plain(&model, vec![((), 2)], |_: &Deep, ()| {
        Tensor::zeros([2], &default_device().unwrap().autodiff())
    });
    assert!(each.unwrap().loss().is_err());
    assert!(
        Objective::plain(&model, Vec::<(Batch<Deep>, usize)>::new(), |_, _| {
            Tensor::zeros([1], &DEVICE.clone().unwrap())
        })
        .is_err()
    );
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let Some(device) = device() else { return };
    let (model, data) = (DeepConfig::new().init(&device).unwrap(), classification());
    let objective = Objective::new(&model, &data).unwrap();
    let error = objective
        .hessian()
        .product(&vector(&device, 1, 3))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the operator acts on vectors of length 80, found one of length 3"
    );
    assert!(objective.at(vector(&device, 1, 3)).is_err());
    assert!(objective.clone().batch(0).is_err());
    let wrong = regression();
    assert!(matches!(
        Objective::new(&model, &wrong),
        Err(FlatnessError::Mismatch(_))
    ));
    let nan = objective.at(objective.weights() * f64::NAN).unwrap();
    assert!(matches!(nan.loss(), Err(FlatnessError::NonFinite { .. })));
    assert!(matches!(
        nan.gradient(),
        Err(FlatnessError::NonFinite { .. })
    ));
    let fisher = objective.clone().with_batch_statistics().unwrap().fisher();
    assert!(fisher.product(&vector(&device, 1, 80)).is_err());
    assert!(Objective::new(&model.clone().no_grad(), &data).is_err());
}

#[test]
fn a_frozen_layer_is_no_part_of_it_and_the_model_stays_as_it_is() {
    let Some(device) = device() else { return };
    let (mut model, data) = (DeepConfig::new().init(&device).unwrap(), classification());
    model.first = model.first.no_grad();
    let before = model.to_string();
    let running = numbers(&model.norm.running_mean.value());
    for model in [model.clone(), model.clone().train()] {
        let objective = Objective::new(&model, &data).unwrap();
        assert_eq!(objective.parameters()[0].path, "norm.gamma");
        let objective = objective.with_batch_statistics().unwrap();
        let v = vector(&device, 3, objective.size());
        objective.hessian().product(&v).unwrap();
        objective.gradient().unwrap();
    }
    assert_eq!(running, numbers(&model.norm.running_mean.value()));
    assert_eq!(before, model.to_string());
}

/// As in training.
#[test]
fn a_frozen_batch_norm_keeps_to_its_running_statistics() {
    let Some(device) = device() else { return };
    let (mut model, data) = (DeepConfig::new().init(&device).unwrap(), classification());
    let of_batches = |model: &Deep| {
        let objective = Objective::new(model, &data).unwrap();
        objective.with_batch_statistics().unwrap()
    };
    let running = Objective::new(&model, &data).unwrap();
    assert!((of_batches(&model).loss().unwrap() - running.loss().unwrap()).abs() > 1e-3);
    model.norm = model.norm.freeze();
    let (running, frozen) = (Objective::new(&model, &data).unwrap(), of_batches(&model));
    let v = vector(&device, 13, running.size());
    assert_eq!(running.loss().unwrap(), frozen.loss().unwrap());
    let [expected, found] = [running, frozen].map(|it| numbers(&it.hessian().product(&v).unwrap()));
    assert!(off(&found, &expected) < 1e-12);
}

/// At other weights a part of the parameters is looked at as it is of the whole.
#[test]
fn other_weights_and_a_part_of_the_parameters_go_together() {
    let Some(device) = device() else { return };
    let (model, data) = (DeepConfig::new().init(&device).unwrap(), classification());
    let whole = Objective::new(&model, &data).unwrap();
    let there = whole.at(vector(&device, 14, whole.size())).unwrap();
    let expected = numbers(&there.gradient().unwrap());
    let mut start = 0;
    for (_, layer) in there.layers().unwrap() {
        assert_eq!(layer.loss().unwrap(), there.loss().unwrap());
        let end = start + layer.size();
        let weights = numbers(&layer.weights());
        assert_eq!(weights, numbers(&there.weights())[start..end]);
        let found = numbers(&layer.gradient().unwrap());
        assert!(off(&found, &expected[start..end]) < 1e-14);
        // And on from there.
        let moved = layer.at(layer.weights() + 1.0).unwrap();
        let written = moved.write(&model).unwrap();
        let written = Objective::new(&written, &data).unwrap();
        assert_eq!(written.loss().unwrap(), moved.loss().unwrap());
        let mut all = numbers(&there.weights());
        all[start..end].iter_mut().for_each(|weight| *weight += 1.0);
        let all = Tensor::from_data(TensorData::new(all, [whole.size()]), &device);
        let all = whole.at(all).unwrap().loss().unwrap();
        assert!((moved.loss().unwrap() - all).abs() < 1e-14);
        start = end;
    }
    assert_eq!(start, whole.size());
}

/// The products of a network with a frozen layer are blocks of those of the whole one.
#[test]
fn what_is_frozen_does_not_change_along_a_direction() {
    let Some(device) = device() else { return };
    let (whole, data) = (DeepConfig::new().init(&device).unwrap(), classification());
    let mut frozen = whole.clone();
    frozen.first = frozen.first.no_grad();
    let running = numbers(&whole.norm.running_var.value());
    let [all, part] = [&whole, &frozen].map(|model| Objective::new(model, &data).unwrap());
    let start = all.size() - part.size();
    let v = vector(&device, 11, part.size());
    let padded = Tensor::cat(vec![Tensor::zeros([start], &device), v.clone()], 0);
    let blocks = [
        (all.hessian(), part.hessian()),
        (all.gauss_newton(), part.gauss_newton()),
        (all.fisher(), part.fisher()),
    ];
    for (all, part) in blocks {
        let expected = numbers(&all.product(&padded).unwrap());
        let found = numbers(&part.product(&v).unwrap());
        assert!(off(&found, &expected[start..]) < 1e-12);
        let nothing = numbers(&part.product(&v.zeros_like()).unwrap());
        assert!(nothing.iter().all(|number| *number == 0.0));
    }
    assert_eq!(numbers(&whole.norm.running_var.value()), running);
    assert_eq!(numbers(&frozen.norm.running_var.value()), running);
}

model! {
    struct Absolute { features: usize = 5, outputs: usize = 3 }
    input x: [features];
    let y = x -> linear(outputs);
    output y;
    loss l1;
}

/// A loss that is linear in its outputs, of outputs that are linear in the parameters.
#[test]
fn what_does_not_curve_has_products_of_zero() {
    let Some(device) = device() else { return };
    let model = AbsoluteConfig::new().init(&device).unwrap();
    let data = regression();
    let objective = Objective::new(&model, &data).unwrap();
    let v = vector(&device, 12, objective.size());
    for operator in [objective.hessian(), objective.gauss_newton()] {
        let product = numbers(&operator.product(&v).unwrap());
        assert_eq!(product, vec![0.0; objective.size()]);
    }
    assert!(objective.fisher().product(&v).is_ok());
    let constant = Objective::plain(&model, vec![((), 1)], |_: &Absolute, ()| {
        Tensor::zeros([1], &default_device().unwrap().autodiff())
    });
    let gradient = constant.unwrap().gradient().unwrap();
    assert_eq!(numbers(&gradient), vec![0.0; objective.size()]);
}
