//! The statistics of mini-batches' gradients against those of examples' gradients that are known.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use kiln::burn::tensor::{Distribution, FloatDType, TensorData};
use kiln::data::{DataError, Examples, Source, Target};
use kiln::flatness::{GradientNoise, GradientSpread, Objective, Watch};
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

/// The device, for one test at a time: what one draws, another would miss.
fn alone() -> Option<(Device, MutexGuard<'static, ()>)> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    Some((DEVICE.clone()?, alone))
}

const FEATURES: usize = 4;

/// y = x · w + noise. The flag is raised once so many examples were read.
struct Points {
    x: Vec<[f64; FEATURES]>,
    y: Vec<f64>,
    read: std::sync::atomic::AtomicUsize,
    raise: Option<(usize, Arc<AtomicBool>)>,
}

impl Points {
    fn new(examples: usize) -> Points {
        let mut state = 11u64;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        let x: Vec<[f64; FEATURES]> = (0..examples)
            .map(|_| std::array::from_fn(|_| next()))
            .collect();
        let y = x.iter().map(|x| x[0] - 2.0 * x[1] + 0.5 + 0.3 * next());
        Points {
            y: y.collect(),
            x,
            read: Default::default(),
            raise: None,
        }
    }
}

impl Source for Points {
    fn len(&self) -> usize {
        self.x.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![FEATURES]]
    }

    fn targets(&self) -> Vec<Target> {
        vec![Target::Values(vec![1])]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let read = self.read.fetch_add(indices.len(), Ordering::Relaxed) + indices.len();
        if let Some((count, flag)) = &self.raise
            && read >= *count
        {
            flag.store(true, Ordering::Relaxed);
        }
        let x: Vec<f64> = indices.iter().flat_map(|i| self.x[*i]).collect();
        let y: Vec<f64> = indices.iter().map(|i| self.y[*i]).collect();
        Ok(Examples {
            inputs: vec![TensorData::new(x, [indices.len(), FEATURES])],
            targets: vec![TensorData::new(y, [indices.len(), 1])],
        })
    }
}

model! {
    struct Line { features: usize = 4 }
    input x: [features];
    let y = x -> linear(1);
    output y;
    loss mse;
}

model! {
    struct Normed { features: usize = 4 }
    input x: [features];
    let y = x -> batch_norm -> linear(1);
    output y;
    loss mse;
}

/// What is known: the examples' gradients 2 (x · w + b - y) (x, 1), their mean and tr Σ.
struct Known {
    gradients: Vec<[f64; FEATURES + 1]>,
    mean: [f64; FEATURES + 1],
    trace: f64,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn known(points: &Points, weights: &[f64]) -> Known {
    let gradients = points.x.iter().zip(&points.y).map(|(x, y)| {
        let rest = 2.0 * (dot(x, &weights[..FEATURES]) + weights[FEATURES] - y);
        std::array::from_fn(|at| rest * x.get(at).unwrap_or(&1.0))
    });
    let gradients: Vec<[f64; FEATURES + 1]> = gradients.collect();
    let count = gradients.len() as f64;
    let mean = std::array::from_fn(|at| gradients.iter().map(|g| g[at]).sum::<f64>() / count);
    let squares = gradients.iter().map(|g| distance(g, &mean));
    Known {
        trace: squares.sum::<f64>() / (count - 1.0),
        mean,
        gradients,
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

fn numbers(vector: &Tensor<1>) -> Vec<f64> {
    vector.to_data().iter::<f64>().collect()
}

/// Weights that are no minimum.
fn at<'a>(model: &Line, points: &'a Points) -> (Objective<'a>, Known) {
    let objective = Objective::new(model, points).unwrap();
    let weights = vec![0.6, -1.4, 0.3, 0.1, 0.2];
    let vector = TensorData::from(weights.as_slice());
    let device = DEVICE.clone().unwrap();
    let known = known(points, &weights);
    (
        objective.at(Tensor::from_data(vector, &device)).unwrap(),
        known,
    )
}

/// The mean over 200 seeds is within 4 of its standard errors of the closed form, and so are single
/// estimates within 3 of the ones that they give themselves, but for a few.
#[test]
fn numerator_and_denominator_are_without_bias_and_their_errors_are_right() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = LineConfig::new().init(&device).unwrap();
    // A good part of the data set, so that the correction for it matters.
    let points = Points::new(60);
    let (objective, known) = at(&model, &points);
    let length = dot(&known.mean, &known.mean);
    let scale = known.trace / length;
    let seeds = 200;
    let runs: Vec<_> = (0..seeds)
        .map(|seed| {
            let noise = GradientNoise::new().small(2).big(20).draws(20).seed(seed);
            noise.run(&objective).unwrap()
        })
        .collect();
    let check = |values: Vec<(f64, f64)>, expected: f64, what: &str, wide: f64| {
        let mean = values.iter().map(|(value, _)| value).sum::<f64>() / seeds as f64;
        let squares = values.iter().map(|(value, _)| (value - mean).powi(2));
        let deviation = (squares.sum::<f64>() / (seeds - 1) as f64).sqrt();
        let error = deviation / (seeds as f64).sqrt();
        assert!(
            (mean - expected).abs() < wide * error,
            "{what}: {mean} ± {error}, {expected}"
        );
        let own = values.iter().map(|(_, error)| error).sum::<f64>() / seeds as f64;
        assert!(
            (own / deviation - 1.0).abs() < 0.2,
            "{what}: {own}, {deviation}"
        );
        let far = values
            .iter()
            .filter(|(value, error)| (value - expected).abs() > 3.0 * error);
        // Student's distribution of 19 degrees of freedom: 0.7 %.
        assert!(far.count() <= 6, "{what}");
    };
    let traces = runs.iter().map(|run| (run.trace, run.trace_error));
    check(traces.collect(), known.trace, "trace", 4.0);
    let lengths = runs
        .iter()
        .map(|run| (run.gradient_squared, run.gradient_squared_error));
    check(lengths.collect(), length, "|G|²", 4.0);
    // The ratio of two means has a bias of a small share of its error.
    let scales = runs
        .iter()
        .map(|run| (run.noise_scale.unwrap(), run.noise_scale_error));
    check(scales.collect(), scale, "noise scale", 6.0);
    let run = &runs[0];
    let found = run.noise_scale.unwrap();
    assert_eq!(run.suggested_batch(), Some(found.round() as usize));
    assert_eq!(run.steps(10), Some(1.0 + found / 10.0));
    assert_eq!(run.examples(10), Some(1.0 + 10.0 / found));
    assert!(run.complete && run.draws == 20);
}

/// A draw of the whole data set in single examples has no sampling left in it.
#[test]
fn the_whole_data_set_gives_the_closed_form() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = LineConfig::new().init(&device).unwrap();
    let points = Points::new(30);
    let (objective, known) = at(&model, &points);
    let noise = GradientNoise::new()
        .small(1)
        .big(30)
        .draws(2)
        .run(&objective)
        .unwrap();
    let length = dot(&known.mean, &known.mean);
    assert!((noise.trace / known.trace - 1.0).abs() < 1e-12);
    assert!((noise.gradient_squared / length - 1.0).abs() < 1e-12);
    assert!((noise.noise_scale.unwrap() * length / known.trace - 1.0).abs() < 1e-12);
    assert!(noise.trace_error < 1e-12 && noise.noise_scale_error < 1e-10);

    // The paper's formulas, from the two lengths.
    let noise = GradientNoise::new().small(5).big(15).draws(1).seed(3);
    let found = noise.run(&objective).unwrap();
    let b = found.gradient_squared + found.trace * (1.0 / 15.0 - 1.0 / 30.0);
    let s = b + found.trace * (1.0 / 5.0 - 1.0 / 15.0);
    let paper = (15.0 * b - 5.0 * s) / 10.0;
    assert!((paper + found.trace / 30.0 - found.gradient_squared).abs() < 1e-12);
    assert_eq!(found.trace_error, f64::INFINITY);
}

#[test]
fn the_variance_falls_with_the_batch_size_as_the_law_says() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = LineConfig::new().init(&device).unwrap();
    let points = Points::new(40);
    let (objective, known) = at(&model, &points);
    let sizes = [1, 2, 5, 10, 20, 40];
    let spread = GradientSpread::new().sizes(sizes).draws(400).seed(5);
    let spread = spread.run(&objective).unwrap();
    assert!(spread.complete);
    let norm = dot(&known.mean, &known.mean).sqrt();
    assert!((spread.gradient_norm / norm - 1.0).abs() < 1e-12);
    assert!((spread.trace.unwrap() / known.trace - 1.0).abs() < 0.05);
    for (batch, size) in spread.batches.iter().zip(sizes) {
        let law = known.trace * (1.0 / size as f64 - 1.0 / 40.0);
        assert_eq!((batch.size, batch.draws), (size, 400));
        assert!(
            (batch.variance - law).abs() <= 4.0 * batch.variance_error + 1e-25,
            "{batch:?}"
        );
        assert!(
            (batch.expected - spread.trace.unwrap() * (1.0 / size as f64 - 1.0 / 40.0)).abs()
                < 1e-12
        );
    }
    let angle = |size: usize| {
        spread
            .batches
            .iter()
            .find(|b| b.size == size)
            .unwrap()
            .angle
            .unwrap()
    };
    assert!(angle(40) < 1e-5 && angle(20) < angle(5) && angle(5) < angle(1));

    // Of single examples and of pairs: the mean over all of them.
    let to_mean = |g: &[f64]| {
        (dot(g, &known.mean) / dot(g, g).sqrt() / norm)
            .acos()
            .to_degrees()
    };
    let singles: Vec<f64> = known.gradients.iter().map(|g| to_mean(g)).collect();
    let mut pairs = Vec::new();
    for (i, a) in known.gradients.iter().enumerate() {
        for b in &known.gradients[..i] {
            let sum: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + b).collect();
            pairs.push(to_mean(&sum));
        }
    }
    for (size, all) in [(1, singles), (2, pairs)] {
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let squares = all.iter().map(|angle| (angle - mean).powi(2)).sum::<f64>();
        let deviation = (squares / all.len() as f64).sqrt();
        let batch = spread.batches.iter().find(|b| b.size == size).unwrap();
        assert!(
            (batch.angle.unwrap() - mean).abs() < 4.0 * deviation / 20.0,
            "{batch:?} {mean}"
        );
        assert!((batch.angle_deviation.unwrap() / deviation - 1.0).abs() < 0.15);
    }

    let csv = spread.to_csv();
    let rows: Vec<Vec<f64>> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    assert_eq!(csv.lines().next().unwrap().split(',').count(), 7);
    assert_eq!(rows[3][2], spread.batches[3].variance);
}

#[test]
fn a_seed_repeats_itself_and_disturbs_nothing() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = LineConfig::new().init(&device).unwrap();
    let points = Points::new(50);
    let before = numbers(&Objective::new(&model, &points).unwrap().weights());
    let noise = GradientNoise::new().small(5).big(25).draws(3);
    let spread = GradientSpread::new().sizes([3, 7]).draws(3);
    let random = |disturb: bool| {
        device.seed(7);
        if disturb {
            let objective = Objective::new(&model, &points).unwrap();
            noise.run(&objective).unwrap();
            spread.run(&objective).unwrap();
        }
        numbers(&Tensor::random([5], Distribution::Default, &device))
    };
    assert_eq!(random(false), random(true));
    assert_eq!(
        numbers(&Objective::new(&model, &points).unwrap().weights()),
        before
    );
    // The pieces in which a batch goes through the network change rounding alone.
    let whole = Objective::new(&model, &points).unwrap();
    let small = whole.clone().batch(2).unwrap();
    let (a, b) = (noise.run(&whole).unwrap(), noise.run(&small).unwrap());
    assert!((a.trace / b.trace - 1.0).abs() < 1e-12);
    assert_eq!(a, noise.run(&whole).unwrap());
    assert_ne!(a, noise.clone().seed(1).run(&whole).unwrap());
    assert_eq!(spread.run(&whole).unwrap(), spread.run(&whole).unwrap());
}

#[test]
fn a_gradient_of_zero_has_no_noise_scale_and_no_angle() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = LineConfig::new().init(&device).unwrap();
    let mut points = Points::new(20);
    points.y = points.x.iter().map(|x| x[0] + 1.0).collect();
    let minimum = TensorData::from([1.0, 0.0, 0.0, 0.0, 1.0]);
    let objective = Objective::new(&model, &points).unwrap();
    let objective = objective.at(Tensor::from_data(minimum, &device)).unwrap();
    let noise = GradientNoise::new()
        .small(2)
        .big(10)
        .draws(2)
        .run(&objective)
        .unwrap();
    assert_eq!((noise.noise_scale, noise.suggested_batch()), (None, None));
    assert_eq!((noise.trace, noise.gradient_squared), (0.0, 0.0));
    let spread = GradientSpread::new()
        .sizes([2])
        .draws(2)
        .run(&objective)
        .unwrap();
    assert_eq!(spread.batches[0].angle, None);
    assert_eq!(spread.to_csv().lines().nth(1), Some("2,2,0,0,0,,"));
}

#[test]
fn an_interruption_leaves_what_there_is() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = LineConfig::new().init(&device).unwrap();
    for (after, expected) in [(5, None), (35, Some(3))] {
        let flag = Arc::new(AtomicBool::new(false));
        let mut points = Points::new(40);
        points.raise = Some((after, flag.clone()));
        let objective = Objective::new(&model, &points).unwrap();
        let objective = objective.watched(Watch::silent().stop_when(flag));
        let noise = GradientNoise::new()
            .small(2)
            .big(10)
            .draws(9)
            .run(&objective);
        match expected {
            Some(draws) => {
                let noise = noise.unwrap();
                assert_eq!((noise.draws, noise.complete), (draws, false));
            }
            None => assert!(noise.unwrap_err().to_string().contains("interrupted")),
        }
    }
    let flag = Arc::new(AtomicBool::new(false));
    let mut points = Points::new(40);
    // The full gradient, ten batches of 2 and one of 4.
    points.raise = Some((64, flag.clone()));
    let objective = Objective::new(&model, &points).unwrap();
    let objective = objective.watched(Watch::silent().stop_when(flag));
    let spread = GradientSpread::new().sizes([2, 4, 8]).draws(10);
    let spread = spread.run(&objective).unwrap();
    let draws: Vec<_> = spread.batches.iter().map(|batch| batch.draws).collect();
    assert_eq!((draws, spread.complete), (vec![10, 1], false));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let Some((device, _alone)) = alone() else {
        return;
    };
    let model = LineConfig::new().init(&device).unwrap();
    let points = Points::new(30);
    let objective = Objective::new(&model, &points).unwrap();
    let error = |noise: GradientNoise| noise.run(&objective).unwrap_err().to_string();
    let noise = || GradientNoise::new().small(5).big(25);
    assert_eq!(
        error(noise().small(0)),
        "`small` is between 1 and 29, fewer than there are, found 0"
    );
    assert_eq!(
        error(noise().big(24)),
        "`big` is a multiple of `small`, 5, larger than it, and at most 30, the examples that there \
         are, found 24"
    );
    assert!(error(noise().big(5)).starts_with("`big`"));
    assert!(error(noise().big(35)).starts_with("`big`"));
    assert!(error(noise().small(30)).starts_with("`small`"));
    assert_eq!(error(noise().draws(0)), "`draws` is at least 1, found 0");
    let error = |spread: GradientSpread| spread.run(&objective).unwrap_err().to_string();
    let spread = GradientSpread::new;
    assert!(error(spread().sizes([])).starts_with("`sizes`"));
    assert!(error(spread().sizes([0])).starts_with("`sizes`"));
    assert_eq!(
        error(spread().sizes([2, 31])),
        "`sizes` is between 1 and 30, the examples that there are, found 31"
    );
    assert!(error(spread().sizes([2]).draws(0)).starts_with("`draws`"));

    let nan = objective.at(objective.weights() * f64::NAN).unwrap();
    assert!(
        noise()
            .run(&nan)
            .unwrap_err()
            .to_string()
            .contains("not finite")
    );
    let normed = NormedConfig::new().init(&device).unwrap();
    let mixed = Objective::new(&normed, &points).unwrap();
    assert!(noise().run(&mixed).is_ok());
    let mixed = mixed.with_batch_statistics().unwrap();
    assert!(
        noise()
            .run(&mixed)
            .unwrap_err()
            .to_string()
            .contains("see each other")
    );
    assert!(spread().sizes([2]).run(&mixed).is_err());

    let x = Tensor::<2>::ones([30, FEATURES], &device);
    let plain = Objective::plain(&model, vec![(x, 30)], |model, x| {
        model.forward(x).square().mean()
    });
    let error = noise().run(&plain.unwrap()).unwrap_err().to_string();
    assert!(error.contains("a module that was not declared"), "{error}");
}
