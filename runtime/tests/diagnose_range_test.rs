//! The learning-rate range test: its rates, its end, its suggestions.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use kiln::burn::module::ModuleVisitor;
use kiln::burn::module::Param;
use kiln::data::{Table, digits};
use kiln::diagnose::{DiagnoseError, RangeTest, RateCurve};
use kiln::prelude::*;

model! {
    struct Line;
    input x: [1];
    let y = x -> head: linear(1, bias: false);
    output y;
    loss mse;
}
model! {
    struct Normed;
    input image: [1, 8, 8];
    let scores = image -> flatten -> linear(16) -> norm: batch_norm -> relu -> dropout(0.2)
        -> linear(10);
    output scores;
    loss cross_entropy;
}
optimizer! { struct Plain; update sgd(); }
optimizer! { struct Momentum; update sgd(momentum: 0.9); }

/// Held by every test here: a training seeds the random numbers of the whole process.
fn lock() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// y = 3 x at x = ±2: the loss is 4 (w − 3)², its curvature 8.
fn line() -> (Line, Table) {
    let device = default_device().unwrap();
    let mut line = LineConfig::new().init(&device).unwrap();
    line.head.weight = line.head.weight.clone().map(|weight| weight.zeros_like());
    let table = Table::values(
        vec![2.0, -2.0, 2.0, -2.0],
        &[1],
        vec![6.0, -6.0, 6.0, -6.0],
        &[1],
    );
    (line, table.unwrap())
}

#[derive(Default)]
struct Numbers(Vec<f32>);

impl ModuleVisitor for Numbers {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.extend(param.val().into_data().iter::<f32>());
    }
}

fn numbers<M: Module>(model: &M) -> Vec<f32> {
    let mut numbers = Numbers::default();
    model.visit(&mut numbers);
    numbers.0
}

#[test]
fn on_a_parabola_each_loss_is_the_closed_form_and_it_ends_behind_the_largest_stable_rate() {
    let _lock = lock();
    let (model, table) = line();
    let test = RangeTest::new()
        .from(1e-3)
        .to(100.0)
        .steps(60)
        .batch(4)
        .workers(0);
    let curve = test.run(&model, Plain::new(), table).unwrap();
    // Gradient descent: the distance to 3 is multiplied by 1 − 8 η in each step.
    let (mut distance, mut mean) = (3.0_f64, 0.0);
    let mut best = f64::INFINITY;
    for (step, point) in curve.points.iter().enumerate() {
        let rate = 1e-3 * 1e5_f64.powf(step as f64 / 59.0);
        assert!(
            (point.rate / rate - 1.0).abs() < 1e-9,
            "{step}: {}",
            point.rate
        );
        let loss = 4.0 * distance * distance;
        // Beyond the largest stable rate the rounding grows too.
        let near = (point.loss - loss).abs() <= 1e-4 * loss + 1e-6;
        assert!(near || rate > 0.25, "{step}: {} {loss}", point.loss);
        mean = 0.98 * mean + 0.02 * point.loss;
        let smoothed = mean / (1.0 - 0.98_f64.powi(step as i32 + 1));
        assert!((point.smoothed / smoothed - 1.0).abs() < 1e-9);
        best = f64::min(best, smoothed);
        let last = step + 1 == curve.points.len();
        assert_eq!(
            smoothed > 4.0 * best,
            last,
            "step {step} of {}",
            curve.points.len()
        );
        distance *= 1.0 - 8.0 * rate;
    }
    // A step of more than 2 over the curvature takes it away from the minimum.
    let explodes = curve.explodes.unwrap();
    assert!(explodes > 0.25 && explodes < 10.0, "{explodes}");
    assert_eq!(explodes, curve.points.last().unwrap().rate);
    let [steepest, tenth] = [curve.steepest.unwrap(), curve.tenth_of_minimum.unwrap()];
    assert!(steepest < 0.25 && tenth < 0.25, "{curve}");
    assert!(steepest > 1e-3 && tenth > 1e-3, "{curve}");
}

#[test]
fn the_model_stays_as_it_is_and_the_same_test_gives_the_same_curve() {
    let _lock = lock();
    let device = default_device().unwrap();
    device.seed(1);
    let model = NormedConfig::new().init(&device).unwrap();
    let running = |model: &Normed| -> Vec<f32> {
        let norm = &model.norm;
        let both = Tensor::cat(vec![norm.running_mean.value(), norm.running_var.value()], 0);
        both.into_data().iter().collect()
    };
    let before = (numbers(&model), running(&model));
    let test = RangeTest::new()
        .from(1e-5)
        .to(1e3)
        .steps(80)
        .batch(32)
        .seed(3);
    let curve = test
        .run(&model, Momentum::new(), digits().unwrap())
        .unwrap();
    assert_eq!((numbers(&model), running(&model)), before);
    // Equal bits are promised on the processor.
    if kiln::device::is_host(&device) {
        let again = test.run(&model, Momentum::new(), digits().unwrap());
        assert_eq!(again.unwrap(), curve);
    }
    println!("{curve}");
    let peak = curve.steepest.unwrap();
    assert!(peak > 1e-3 && peak < 3.0, "{curve}");

    let json = serde_json::to_string(&curve).unwrap();
    let stored: RateCurve = serde_json::from_str(&json).unwrap();
    assert_eq!(stored.points.len(), curve.points.len());
    let csv = curve.csv();
    assert_eq!(csv.lines().count(), curve.points.len() + 1);
    assert_eq!(csv.lines().nth(1).unwrap().split(',').count(), 3);
    let svg = curve.svg();
    assert!(
        svg.starts_with("<svg") && svg.ends_with("</svg>") && !svg.contains("NaN"),
        "{svg}"
    );
    if let Ok(file) = std::env::var("KILN_RANGE_SVG") {
        std::fs::write(file, svg).unwrap();
    }
}

#[test]
fn a_loss_that_is_no_number_ends_it_and_a_small_rate_goes_to_the_end() {
    let _lock = lock();
    let (model, table) = line();
    let test = RangeTest::new().batch(4).workers(0);
    let wild = test.clone().from(1e20).to(1e38).steps(10);
    let curve = wild.run(&model, Plain::new(), table.clone()).unwrap();
    assert!(!curve.points.is_empty() && curve.points.len() < 10);
    assert!(curve.points.iter().all(|point| point.loss.is_finite()));
    assert_eq!(curve.explodes, curve.points.last().map(|point| point.rate));
    assert_eq!([curve.steepest, curve.tenth_of_minimum], [None, None]);
    assert!(!curve.svg().contains("NaN"));

    let curve = test
        .from(1e-9)
        .to(1e-8)
        .steps(20)
        .run(&model, Plain::new(), table)
        .unwrap();
    assert_eq!((curve.points.len(), curve.explodes), (20, None));
}

#[test]
fn what_cannot_be_is_an_error() {
    let _lock = lock();
    let (model, table) = line();
    let run = |test: RangeTest| test.run(&model, Plain::new(), table.clone()).unwrap_err();
    for (test, wrong) in [
        (RangeTest::new().from(0.0), "from"),
        (RangeTest::new().from(f64::NAN), "from"),
        (RangeTest::new().to(1e-9), "to"),
        (RangeTest::new().to(f64::INFINITY), "to"),
        (RangeTest::new().steps(1), "steps"),
    ] {
        let error = run(test);
        assert!(
            matches!(error, DiagnoseError::Argument { name, .. } if name == wrong),
            "{error}"
        );
    }
    for batch in [0, 5] {
        let error = run(RangeTest::new().batch(batch));
        assert!(matches!(error, DiagnoseError::Train(_)), "{error}");
    }
}
