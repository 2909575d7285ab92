//! Every kernel of a sequence model equals Burn's own operation, gradients included, over random
//! shapes.

use kiln::burn::nn::loss::CrossEntropyLossConfig;
use kiln::burn::tensor::ops::AttentionModuleOptions;
use kiln::burn::tensor::{Distribution, FloatDType, activation, module};
use kiln::{Device, Int, Tensor, kernel};
use kiln_tests::{Lcg, assert_close, device, is_slow, lock};

fn cases() -> usize {
    if is_slow() { 20 } else { 500 }
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.5), device)
}

/// Compares outputs, and gradients by `inputs` and by `vectors`.
fn compare<const D: usize, const O: usize>(
    what: &str,
    inputs: Vec<Tensor<D>>,
    vectors: Vec<Tensor<1>>,
    run: impl Fn(bool, &[Tensor<D>], &[Tensor<1>]) -> Tensor<O>,
) {
    let result = |ours: bool| {
        let inputs: Vec<_> = inputs.iter().map(|x| x.clone().require_grad()).collect();
        let vectors: Vec<_> = vectors.iter().map(|x| x.clone().require_grad()).collect();
        let output = run(ours, &inputs, &vectors);
        // A gradient of the output that differs from place to place.
        let count = output.shape().num_elements() as i64;
        let factors = Tensor::<1, Int>::arange(0..count, &output.device());
        let factors = (factors.float() * 0.7).sin().reshape(output.dims());
        let gradients = (output.clone() * factors).sum().backward();
        let by_inputs: Vec<_> = inputs
            .iter()
            .map(|x| x.grad(&gradients).expect("a gradient"))
            .collect();
        let by_vectors: Vec<_> = vectors
            .iter()
            .map(|x| x.grad(&gradients).expect("a gradient"))
            .collect();
        (output, by_inputs, by_vectors)
    };
    let (ours, burns) = (result(true), result(false));
    assert_close(&format!("output of {what}"), ours.0, burns.0);
    for (index, (ours, burns)) in ours.1.into_iter().zip(burns.1).enumerate() {
        assert_close(&format!("gradient {index} of {what}"), ours, burns);
    }
    for (index, (ours, burns)) in ours.2.into_iter().zip(burns.2).enumerate() {
        assert_close(
            &format!("gradient by vector {index} of {what}"),
            ours,
            burns,
        );
    }
}

#[test]
fn layer_normalisation_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(1);
    device.seed(1);
    for case in 0..cases() {
        // A width of 1 or 2 has a variance near 0, where the gradient is ill-conditioned.
        let shape = [draw.draw(1, 9), draw.draw(1, 12), draw.draw(3, 150)];
        let width = shape[2];
        let bias = draw.draw(0, 3) > 0;
        let vectors = (0..=usize::from(bias)).map(|_| random([width], &device));
        let run = |ours: bool, x: &[Tensor<3>], v: &[Tensor<1>]| {
            let (x, gamma, beta) = (x[0].clone(), v[0].clone(), v.get(1).cloned());
            let x = if case % 4 == 0 {
                x.swap_dims(0, 1)
            } else {
                x + 3.0
            };
            if ours {
                kernel::layer_norm(x, gamma, beta, 1e-2)
            } else {
                module::layer_norm(x, gamma, beta, 1e-2)
            }
        };
        let what = format!("layer_norm of {shape:?}, bias {bias}");
        compare(&what, vec![random(shape, &device)], vectors.collect(), run);
    }
}

#[test]
fn gelu_equals_its_formula() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(2);
    device.seed(2);
    for case in 0..cases() {
        let shape = [draw.draw(1, 9), draw.draw(1, 300)];
        let spread = [0.01, 1.0, 4.0, 30.0][case % 4];
        let input = random(shape, &device) * spread;
        compare(
            &format!("gelu of {shape:?}, spread {spread}"),
            vec![input.detach()],
            vec![],
            |ours, x, _| {
                let x = if case % 5 == 0 {
                    x[0].clone().transpose()
                } else {
                    x[0].clone()
                };
                if ours {
                    kernel::gelu(x)
                } else {
                    let scaled = x.clone() * std::f64::consts::FRAC_1_SQRT_2;
                    x * (scaled.erf() * 0.5 + 0.5)
                }
            },
        );
    }
}

#[test]
fn softmax_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(3);
    device.seed(3);
    for case in 0..cases() {
        let shape = [draw.draw(1, 9), draw.draw(1, 9), draw.draw(1, 200)];
        let spread = [1.0, 10.0, 100.0][case % 3];
        let input = (random(shape, &device) * spread).detach();
        compare(
            &format!("softmax of {shape:?}, spread {spread}"),
            vec![input],
            vec![],
            |ours, x, _| {
                let x = if case % 5 == 0 {
                    x[0].clone().swap_dims(0, 1)
                } else {
                    x[0].clone()
                };
                if ours {
                    kernel::softmax(x)
                } else {
                    activation::softmax(x, 2)
                }
            },
        );
    }
}

#[test]
fn the_linear_map_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(4);
    device.seed(4);
    for _ in 0..cases() {
        let large = draw.draw(0, 9) == 0;
        let most = if large { 450 } else { 40 };
        let (inputs, outputs) = (draw.draw(1, most), draw.draw(1, most));
        let rows = [draw.draw(1, 6), draw.draw(1, if large { 60 } else { 12 })];
        let bias = draw.draw(0, 2) > 0;
        let vectors = bias.then(|| random([outputs], &device));
        let input = random([rows[0], rows[1], inputs], &device);
        let weight = random([1, inputs, outputs], &device);
        compare(
            &format!("linear of {rows:?}, {inputs} to {outputs}, bias {bias}"),
            vec![input, weight],
            vectors.into_iter().collect(),
            |ours, x, bias| {
                let (input, weight) = (x[0].clone(), x[1].clone().squeeze_dim::<2>(0));
                let bias = bias.first().cloned();
                if ours {
                    kernel::linear(input, weight, bias)
                } else {
                    module::linear(input, weight, bias)
                }
            },
        );
    }
}

#[test]
fn cross_entropy_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(5);
    device.seed(5);
    for case in 0..cases() {
        let (batch, classes) = (draw.draw(1, 60), draw.draw(1, 120));
        let target: Vec<_> = (0..batch)
            .map(|_| draw.draw(0, classes - 1) as i64)
            .collect();
        let target = Tensor::<1, Int>::from_ints(&target[..], &device);
        let smoothing = [0.0, 0.1, 0.5][case % 3];
        let spread = [1.0, 20.0][case % 2];
        compare(
            &format!("cross_entropy of {batch} in {classes}, smoothing {smoothing}"),
            vec![(random([batch, classes], &device) * spread).detach()],
            vec![],
            |ours, x, _| {
                let (x, target) = (x[0].clone(), target.clone());
                let loss = if ours {
                    kernel::cross_entropy(x, target, smoothing)
                } else {
                    let alpha = (smoothing > 0.0).then_some(smoothing as f32);
                    let config = CrossEntropyLossConfig::new().with_smoothing(alpha);
                    config.init(&device).forward(x, target)
                };
                // The first of the factors is 0.
                Tensor::cat(vec![loss.clone(), loss * 1.5], 0)
            },
        );
    }
}

#[test]
fn attention_equals_burns() {
    let _lock = lock();
    let device = device().autodiff();
    let mut draw = Lcg(6);
    device.seed(6);
    for case in 0..cases() {
        let [batch, heads] = [draw.draw(1, 3), draw.draw(1, 4)];
        let [queries, keys] = [draw.draw(1, 70), draw.draw(1, 70)];
        let [width, value_width] = [draw.draw(1, 40), draw.draw(1, 40)];
        let causal = case % 2 == 0;
        let query = random([batch, heads, queries, width], &device);
        let key = random([batch, heads, keys, width], &device);
        let value = random([batch, heads, keys, value_width], &device);
        compare(
            &format!(
                "attention of {:?}, {:?}, {:?}, causal {causal}",
                query.dims(),
                key.dims(),
                value.dims()
            ),
            vec![query, key, value],
            vec![],
            |ours, x, _| {
                let [query, key, value] = [0, 1, 2].map(|index| x[index].clone());
                if ours {
                    kernel::attention(query, key, value, causal)
                } else {
                    let options = AttentionModuleOptions {
                        is_causal: causal,
                        ..AttentionModuleOptions::default()
                    };
                    module::attention(query, key, value, None, None, options)
                }
            },
        );
    }
}

#[test]
fn the_exponential_tails_are_exact() {
    if is_slow() {
        return; // The functions are Burn's there.
    }
    let _lock = lock();
    let device = device();
    let inputs: Vec<f32> = (-4000..4000).map(|i| i as f32 * 2.5e-3).collect();
    let output = kernel::gelu(Tensor::<1>::from_floats(&inputs[..], &device));
    let exact = Tensor::<1>::from_floats(&inputs[..], &device).cast(FloatDType::F64);
    let exact = exact.clone() * ((exact * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5);
    let (output, exact) = (output.into_data(), exact.into_data());
    for ((x, ours), exact) in inputs
        .iter()
        .zip(output.iter::<f64>())
        .zip(exact.iter::<f64>())
    {
        assert!(
            (ours - exact).abs() <= 4e-7 * exact.abs().max(1.0),
            "gelu({x}) is {ours}, not {exact}"
        );
    }
    let extreme = Tensor::<2>::from_floats([[0.0, -1e30, -100.0], [f32::NAN, 0.0, 0.0]], &device);
    let softmax: Vec<f32> = kernel::softmax(extreme).into_data().iter().collect();
    assert_eq!(softmax[..2], [1.0, 0.0]);
    assert!(
        softmax[2] < 1e-37 && softmax[3..].iter().all(|x| x.is_nan()),
        "{softmax:?}"
    );
}

#[test]
fn no_rows_have_no_outputs() {
    let device = device().autodiff();
    if !kiln::device::is_host(&device) {
        return; // Empty tensors are the backend's there.
    }
    let zeros = |shape: [usize; 3]| Tensor::<3>::zeros(shape, &device).require_grad();
    let vector = Tensor::<1>::ones([4], &device).require_grad();
    for shape in [[0, 3, 4], [2, 0, 4], [0, 0, 4]] {
        let input = zeros(shape);
        let [weight, none] = [[4, 5], [0, 5]].map(|shape| {
            let weight = Tensor::<2>::ones(shape, &device);
            weight.require_grad()
        });
        let bias = Tensor::<1>::ones([5], &device).require_grad();
        let output = kernel::linear(input.clone(), weight.clone(), Some(bias.clone()));
        assert_eq!(output.dims(), [shape[0], shape[1], 5]);
        let gradients = output.sum().backward();
        let by_input = input.grad(&gradients).expect("a gradient");
        assert_eq!(by_input.dims(), shape);
        let by_weight = weight.grad(&gradients).expect("a gradient");
        assert_close("gradient by the weight", by_weight, weight.zeros_like());
        let by_bias = bias.grad(&gradients).expect("a gradient");
        assert_close("gradient by the bias", by_bias, bias.zeros_like());

        let output = kernel::linear(zeros([shape[0], shape[1], 0]), none, None);
        assert_eq!(output.dims(), [shape[0], shape[1], 5]);
        let normal = kernel::layer_norm(zeros(shape), vector.clone(), Some(vector.clone()), 1e-5);
        assert_eq!(normal.dims(), shape);
        assert_eq!(kernel::softmax(zeros(shape)).dims(), shape);
        assert_eq!(kernel::gelu(zeros(shape)).dims(), shape);
    }
    let empty = || Tensor::<4>::zeros([0, 2, 3, 4], &device).require_grad();
    for causal in [false, true] {
        let output = kernel::attention(empty(), empty(), empty(), causal);
        assert_eq!(output.dims(), [0, 2, 3, 4]);
        output.sum().backward();
    }
}
