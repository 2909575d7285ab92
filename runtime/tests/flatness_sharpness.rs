//! Sharpness of losses whose largest rise is known in closed form.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "flatness/doubles.rs"]
mod doubles;
#[path = "flatness/matrices.rs"]
mod matrices;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use doubles::{Layers, Point, device, diagonal, point, quadratic, values, vector};
use kiln::burn::module::Param;
use kiln::burn::tensor::{Distribution, TensorData};
use kiln::data::digits;
use kiln::flatness::{
    AsamSharpness, FlatnessError, GaussianSharpness, Keskar, Maximiser, Objective, SamSharpness,
    Watch,
};
use kiln::prelude::*;
use matrices::Known;

/// A loss `slope · w`.
fn line(device: &Device, slope: &[f64], weight: &[f64]) -> Objective<'static> {
    let slope = vector(&device.clone().autodiff(), slope);
    let loss = move |module: &Point, ()| (module.weight.val() * slope.clone()).sum();
    Objective::plain(&point(device, weight), vec![((), 1)], loss).unwrap()
}

fn near(found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs();
    assert!(off <= tolerance * expected.abs(), "{found}, not {expected}");
}

#[test]
fn keskars_measure_at_the_minimum_of_a_diagonal_quadratic_is_its_closed_form() {
    let Some(device) = device() else { return };
    let curvatures: Vec<f64> = (0..20)
        .map(|at| 10f64.powf(f64::from(at) / 4.0 - 2.0))
        .collect();
    let weights: Vec<f64> = (0..20).map(|at| f64::from(at) * 0.7 - 5.0).collect();
    for epsilon in [1e-3, 5e-4] {
        let objective = quadratic(&device, &diagonal(&curvatures), &weights, &weights, 0.0);
        let found = Keskar::new().epsilon(epsilon).run(&objective).unwrap();
        let terms = curvatures.iter().zip(&weights);
        let sum: f64 = terms.map(|(l, w)| l * (w.abs() + 1.0).powi(2)).sum();
        near(found.sharpness, 50.0 * epsilon * epsilon * sum, 1e-10);
        assert_eq!(found.maximum.maximiser, Maximiser::ProjectedAscent);
        assert_eq!((found.maximum.start, found.subspace), (0.0, None));
        assert!(found.maximum.complete && found.maximum.gradients <= 10);
    }
}

/// Away from a minimum: `100 ε Σ |g_i| (|w_i| + 1) / (1 + f)` of a plane.
#[test]
fn keskars_measure_divides_by_one_more_than_the_loss() {
    let Some(device) = device() else { return };
    let (slope, weight) = ([2.0, -3.0, 0.5], [1.0, -2.0, 4.0]);
    let found = Keskar::new().run(&line(&device, &slope, &weight)).unwrap();
    let loss = 2.0 + 6.0 + 2.0;
    let rise = 1e-3 * (2.0 * 2.0 + 3.0 * 3.0 + 0.5 * 5.0);
    near(found.sharpness, 100.0 * rise / (1.0 + loss), 1e-10);
    near(found.maximum.value, loss + rise, 1e-12);
    let error = Keskar::new()
        .run(&line(&device, &[-1.0], &[2.0]))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`loss` is above -1, where the measure of Keskar et al. is defined, found -2"
    );
}

/// With one column a, `A⁺ x` is `a · x / |a|²` and the box `|z| <= ε (|A⁺ x| + 1)`. Planes show a.
#[test]
fn the_box_in_a_subspace_is_that_of_the_pseudo_inverse() {
    let Some(device) = device() else { return };
    let measure = Keskar::new().subspace(1).seed(5);
    let along = |slope: &[f64]| {
        let found = measure.run(&line(&device, slope, &[0.0; 3])).unwrap();
        found.sharpness / (100.0 * 1e-3)
    };
    let sizes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(|slope| along(&slope));
    let sign = |with_first: [f64; 3], size: f64| {
        let same = (along(&with_first) - (sizes[0] + size)).abs() < 1e-9;
        if same { size } else { -size }
    };
    let column = [
        sizes[0],
        sign([1.0, 1.0, 0.0], sizes[1]),
        sign([1.0, 0.0, 1.0], sizes[2]),
    ];
    let weights = [30.0, -80.0, 50.0];
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let squared = dot(&column, &column);
    let half_width = 1e-3 * ((dot(&column, &weights) / squared).abs() + 1.0);
    let objective = quadratic(&device, &diagonal(&[3.0; 3]), &weights, &weights, 0.0);
    let found = measure.run(&objective).unwrap();
    near(
        found.sharpness,
        50.0 * half_width * half_width * 3.0 * squared,
        1e-9,
    );
}

#[test]
fn keskars_measure_in_a_subspace_is_reproducible_and_differs_by_the_seed() {
    let Some(device) = device() else { return };
    let known = Known::new((1..=40).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[0.0; 40], &[0.0; 40], 0.0);
    let measure = |seed| {
        Keskar::new()
            .subspace(10)
            .seed(seed)
            .run(&objective)
            .unwrap()
    };
    assert_eq!(measure(1), measure(1));
    assert_ne!(measure(1), measure(2));
}

#[test]
fn sams_sharpness_at_a_minimum_is_half_the_largest_curvature() {
    let Some(device) = device() else { return };
    let rho = 0.05;
    let spectrum: Vec<f64> = (0..30).map(f64::from).chain([-5.0, 45.0]).collect();
    let known = Known::new(spectrum);
    let size = known.eigenvalues.len();
    let objective = quadratic(
        &device,
        &known.entries,
        &vec![1.0; size],
        &vec![1.0; size],
        2.0,
    );
    let one = SamSharpness::one_step().run(&objective).unwrap();
    assert_eq!(
        (one.sharpness, one.maximum.maximiser),
        (0.0, Maximiser::OneStep)
    );
    let most = SamSharpness::maximised().seed(3).run(&objective).unwrap();
    near(most.sharpness, rho * rho * 45.0 / 2.0, 1e-3);
    assert!(most.maximum.complete && most.maximum.start == 2.0);
    let again = SamSharpness::maximised().seed(3).run(&objective).unwrap();
    assert_eq!(most, again);
}

/// `e = ρ g / |g|` with `g = A d` at a distance d from the minimum.
#[test]
fn one_step_of_sam_is_its_closed_form_and_the_maximum_is_no_less() {
    let Some(device) = device() else { return };
    let (curvatures, away, rho) = ([4.0, 1.0, 0.25], [0.3, -2.0, 1.0], 0.7);
    let objective = quadratic(&device, &diagonal(&curvatures), &[0.0; 3], &away, 0.0);
    let slope: Vec<f64> = curvatures.iter().zip(away).map(|(l, d)| l * d).collect();
    let norm = slope.iter().map(|g| g * g).sum::<f64>().sqrt();
    let bent = curvatures
        .iter()
        .zip(&slope)
        .map(|(l, g)| l * g * g)
        .sum::<f64>();
    let expected = rho * norm + 0.5 * rho * rho * bent / (norm * norm);
    let one = SamSharpness::one_step().rho(rho).run(&objective).unwrap();
    near(one.sharpness, expected, 1e-12);
    let steps = SamSharpness::one_step()
        .rho(rho)
        .steps(1)
        .run(&objective)
        .unwrap();
    near(steps.sharpness, expected, 1e-12);

    // The maximum on the sphere solves (μ - A) e = g with |e| = ρ and μ above all curvatures.
    let length = |mu: f64| {
        let terms = slope.iter().zip(curvatures);
        terms
            .map(|(g, l)| (g / (mu - l)).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let (mut low, mut high) = (4.0, 100.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if length(middle) > rho {
            low = middle
        } else {
            high = middle
        }
    }
    let terms = slope.iter().zip(curvatures);
    let expected = terms.map(|(g, l)| {
        let e = g / (high - l);
        g * e + 0.5 * l * e * e
    });
    let most = SamSharpness::maximised()
        .rho(rho)
        .steps(200)
        .run(&objective)
        .unwrap();
    assert!(most.sharpness >= one.sharpness);
    near(most.sharpness, expected.sum(), 1e-6);
}

/// Where the loss curves downwards the farthest point is too far: at most `Σ g²/2` of a sphere.
#[test]
fn a_maximum_inside_of_the_ball_is_found() {
    let Some(device) = device() else { return };
    let objective = quadratic(
        &device,
        &diagonal(&[-2.0, -1.0]),
        &[0.0; 2],
        &[0.3, -0.4],
        0.0,
    );
    let expected = 0.5 * (2.0 * 0.09 + 0.16);
    let far = SamSharpness::one_step().rho(5.0).run(&objective).unwrap();
    assert!(far.sharpness < 0.0);
    let most = SamSharpness::maximised()
        .rho(5.0)
        .steps(50)
        .run(&objective)
        .unwrap();
    near(most.sharpness, expected, 1e-3);
    let inside = Keskar::new()
        .epsilon(1.0)
        .steps(50)
        .run(&objective)
        .unwrap();
    near(inside.maximum.value - inside.maximum.start, expected, 1e-3);
}

/// The weights of two layers around a `relu`, with a factor on one and its inverse on the other.
fn rescaled(device: &Device, factor: f64) -> Objective<'static> {
    let device = &device.clone().autodiff();
    let matrix = |values: Vec<f64>, shape: [usize; 2]| {
        Tensor::<2>::from_data(TensorData::new(values, shape), device)
    };
    let waves = |count: usize, step: f64| (0..count).map(move |at| (1.0 + at as f64 * step).sin());
    let first: Vec<f64> = waves(20, 0.9).map(|w| w * factor).collect();
    let second: Vec<f64> = waves(15, 1.7).map(|w| w / factor).collect();
    let module = Layers {
        first: Param::from_tensor(matrix(first, [4, 5])),
        second: Param::from_tensor(matrix(second, [5, 3])),
    };
    let x = matrix(waves(44, 2.3).collect(), [11, 4]);
    let y = matrix(waves(33, 0.37).collect(), [11, 3]);
    Objective::plain(&module, vec![((), 11)], move |module: &Layers, ()| {
        let hidden = x.clone().matmul(module.first.val()).clamp_min(0.0);
        let off = hidden.matmul(module.second.val()) - y.clone();
        off.square().mean()
    })
    .unwrap()
}

#[test]
fn adaptive_sharpness_does_not_change_where_layers_are_rescaled() {
    let Some(device) = device() else { return };
    for measure in [AsamSharpness::one_step(), AsamSharpness::maximised()] {
        let measure = measure.eta(0.0).rho(0.2);
        let plain = measure.run(&rescaled(&device, 1.0)).unwrap().sharpness;
        let scaled = measure.run(&rescaled(&device, 7.0)).unwrap().sharpness;
        near(scaled, plain, 1e-9);
    }
    let sam = SamSharpness::maximised();
    let plain = sam.run(&rescaled(&device, 1.0)).unwrap().sharpness;
    let scaled = sam.run(&rescaled(&device, 7.0)).unwrap().sharpness;
    assert!((scaled / plain - 1.0).abs() > 0.1, "{scaled} {plain}");
    let relative = GaussianSharpness::new().relative().sigma(0.1);
    let plain = relative.run(&rescaled(&device, 1.0)).unwrap().sharpness;
    let scaled = relative.run(&rescaled(&device, 7.0)).unwrap().sharpness;
    near(scaled, plain, 1e-9);
}

/// `e = ρ T² g / |T g|` with `T = |w| + η`, and `T = 1` for biases.
#[test]
fn one_step_of_asam_is_its_closed_form() {
    let Some(device) = device() else { return };
    let (slope, weight, rho, eta) = ([2.0, -1.0, 0.5], [1.0, -3.0, 0.0], 0.5, 0.01);
    let scaled = slope
        .iter()
        .zip(weight)
        .map(|(g, w): (&f64, f64)| (w.abs() + eta) * g);
    let expected = rho * scaled.map(|s| s * s).sum::<f64>().sqrt();
    let found = AsamSharpness::one_step().rho(rho).eta(eta);
    near(
        found
            .run(&line(&device, &slope, &weight))
            .unwrap()
            .sharpness,
        expected,
        1e-12,
    );

    #[derive(Module, Debug)]
    struct Biased {
        bias: Param<Tensor<1>>,
    }
    let autodiff = device.autodiff();
    let slope = vector(&autodiff, &slope);
    let module = Biased {
        bias: Param::from_tensor(vector(&autodiff, &weight)),
    };
    let loss = move |module: &Biased, ()| (module.bias.val() * slope.clone()).sum();
    let objective = Objective::plain(&module, vec![((), 1)], loss).unwrap();
    let expected = rho * (4.0 + 1.0 + 0.25f64).sqrt();
    near(found.run(&objective).unwrap().sharpness, expected, 1e-12);
}

/// `σ² tr(A) / 2` on average, with a variance of `σ⁴ |A|² / 2` a draw.
#[test]
fn the_average_rise_of_a_quadratic_is_half_its_trace() {
    let Some(device) = device() else { return };
    let known = Known::new((0..25).map(|at| f64::from(at * at) / 20.0 - 3.0).collect());
    let (_, squares) = known.squares();
    let objective = quadratic(&device, &known.entries, &[0.5; 25], &[0.5; 25], 1.0);
    let (sigma, draws) = (0.3, 400);
    let measure = GaussianSharpness::new().sigma(sigma).draws(draws).seed(11);
    let found = measure.run(&objective).unwrap();
    let error = found.standard_error.unwrap();
    let expected = 0.5 * sigma * sigma * known.trace();
    let off = (found.sharpness - expected).abs();
    assert!(
        off < 3.0 * error,
        "{} ± {error}, not {expected}",
        found.sharpness
    );
    near(
        error,
        sigma * sigma * (0.5 * squares / draws as f64).sqrt(),
        0.2,
    );
    assert_eq!(found, measure.run(&objective).unwrap());
    assert_ne!(found, measure.seed(12).run(&objective).unwrap());
    let single = GaussianSharpness::new().draws(1).run(&objective).unwrap();
    assert_eq!((single.standard_error, single.complete), (None, true));
}

/// Each filter, a row here, moves by its own root mean square.
#[test]
fn relative_steps_have_the_size_of_the_filters() {
    let Some(device) = device() else { return };
    let autodiff = device.clone().autodiff();
    let matrix = |values: [f64; 6]| {
        let data = TensorData::new(values.to_vec(), [2, 3]);
        Tensor::<2>::from_data(data, &autodiff)
    };
    let module = Layers {
        first: Param::from_tensor(matrix([3.0, -1.0, 2.0, 0.1, 0.2, 0.0])),
        second: Param::from_tensor(matrix([0.0; 6])),
    };
    let mean_squares = [14.0 / 3.0, 0.05 / 3.0];
    let at = [3.0, -1.0, 2.0, 0.1, 0.2, 0.0];
    let centre = matrix(at);
    let weights = matrix([1.0, 1.0, 1.0, 500.0, 500.0, 500.0]);
    let loss = move |module: &Layers, ()| {
        let away = module.first.val() - centre.clone();
        (away.square() * weights.clone()).sum() + module.second.val().square().sum() * 1e6
    };
    let objective = Objective::plain(&module, vec![((), 1)], loss).unwrap();
    let found = GaussianSharpness::new().relative().sigma(0.1).draws(500);
    let found = found.run(&objective).unwrap();
    let expected = 0.01 * 3.0 * (mean_squares[0] + 500.0 * mean_squares[1]);
    let error = found.standard_error.unwrap();
    assert!(
        (found.sharpness - expected).abs() < 3.0 * error,
        "{found:?}, not {expected}"
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let Some(device) = device() else { return };
    let objective = quadratic(&device, &diagonal(&[1.0, 2.0]), &[0.0; 2], &[1.0; 2], 0.0);
    let refused = [
        Keskar::new().epsilon(0.0).run(&objective).err(),
        Keskar::new().epsilon(f64::NAN).run(&objective).err(),
        Keskar::new().steps(0).run(&objective).err(),
        Keskar::new().subspace(0).run(&objective).err(),
        Keskar::new().subspace(3).run(&objective).err(),
        SamSharpness::one_step().rho(-1.0).run(&objective).err(),
        SamSharpness::maximised().steps(0).run(&objective).err(),
        AsamSharpness::one_step().eta(-1.0).run(&objective).err(),
        AsamSharpness::one_step()
            .rho(f64::INFINITY)
            .run(&objective)
            .err(),
        GaussianSharpness::new().sigma(0.0).run(&objective).err(),
        GaussianSharpness::new().draws(0).run(&objective).err(),
    ];
    for error in refused {
        assert!(
            matches!(error, Some(FlatnessError::Argument { .. })),
            "{error:?}"
        );
    }
    let error = GaussianSharpness::new()
        .relative()
        .run(&objective)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no parameter has filters, two dimensions or more, to measure steps by; the model's \
         trainable parameters are `weight` [2]"
    );
    let nan = objective.at(objective.weights() * f64::NAN).unwrap();
    assert!(matches!(
        Keskar::new().run(&nan),
        Err(FlatnessError::NonFinite { .. })
    ));
    assert!(matches!(
        GaussianSharpness::new().run(&nan),
        Err(FlatnessError::NonFinite { .. })
    ));
}

#[test]
fn an_interruption_leaves_what_there_is() {
    let Some(device) = device() else { return };
    let known = Known::new((1..=40).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[0.0; 40], &[0.1; 40], 0.0);
    let objective = objective.watched(Watch::silent().stop_when(Arc::new(AtomicBool::new(true))));
    let found = Keskar::new().run(&objective).unwrap();
    assert!(found.sharpness > 0.0 && !found.maximum.complete && found.maximum.gradients == 1);
    let found = SamSharpness::maximised().run(&objective).unwrap();
    assert!(found.sharpness > 0.0 && !found.maximum.complete);
    let found = GaussianSharpness::new().run(&objective).unwrap();
    assert_eq!((found.draws, found.complete), (1, false));
}

model! {
    struct Net;
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> batch_norm -> relu -> linear(10);
    output scores;
    loss cross_entropy;
}

#[test]
fn neither_the_model_nor_the_random_numbers_of_the_device_change() {
    let Some(device) = device() else { return };
    let model = NetConfig::new().init(&device).unwrap();
    let data = digits().unwrap();
    let objective = Objective::new(&model, &data).unwrap();
    let (before, weights) = (model.to_string(), values(&objective.weights()));
    let drawn = |measured: bool| {
        device.seed(1);
        if measured {
            let keskar = Keskar::new().steps(2).run(&objective).unwrap();
            let narrow = Keskar::new().steps(2).subspace(5).run(&objective).unwrap();
            let sam = SamSharpness::maximised().steps(2).run(&objective).unwrap();
            let asam = AsamSharpness::one_step().run(&objective).unwrap();
            let average = GaussianSharpness::new().draws(2).run(&objective).unwrap();
            let rises = [
                keskar.sharpness,
                narrow.sharpness,
                sam.sharpness,
                asam.sharpness,
            ];
            assert!(rises.iter().all(|rise| *rise > 0.0), "{rises:?}");
            assert!(average.sharpness.is_finite());
        }
        values(&Tensor::<1>::random([8], Distribution::Default, &device))
    };
    assert_eq!(drawn(false), drawn(true));
    assert_eq!(model.to_string(), before);
    assert_eq!(values(&objective.weights()), weights);
}
