//! Volumes of basins that are known in closed form.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "flatness/doubles.rs"]
mod doubles;
#[path = "flatness/matrices.rs"]
mod matrices;

use std::f64::consts::PI;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use doubles::{Layers, Point, device, diagonal, point, quadratic, values, vector};
use kiln::burn::module::Param;
use kiln::burn::tensor::{Distribution, TensorData};
use kiln::flatness::{FlatnessError, Objective, Volume, Watch};
use kiln::prelude::*;
use matrices::Known;

/// `π^(n/2) / Γ(n/2 + 1)`, with the factorial of a whole number or of a half.
fn log_unit_ball(dimension: usize) -> f64 {
    let half = 0.5 * dimension as f64;
    let mut log_gamma = if dimension.is_multiple_of(2) {
        0.0
    } else {
        0.5 * PI.ln()
    };
    let mut factor = half;
    while factor > 0.0 {
        log_gamma += factor.ln();
        factor -= 1.0;
    }
    half * PI.ln() - log_gamma
}

/// Within the cutoff c of `dᵀ A d / 2`: `V_n (2c)^(n/2) / √det A`.
fn log_ellipsoid(curvatures: &[f64], rise: f64) -> f64 {
    let half_axes = curvatures.iter().map(|l| 0.5 * (2.0 * rise / l).ln());
    log_unit_ball(curvatures.len()) + half_axes.sum::<f64>()
}

#[test]
fn a_sphere_has_one_radius_and_its_volume() {
    let Some(device) = device() else { return };
    for size in [1, 2, 3, 20, 300] {
        let objective = quadratic(
            &device,
            &diagonal(&vec![4.0; size]),
            &vec![0.0; size],
            &vec![0.0; size],
            0.5,
        );
        let measure = Volume::new().euclidean().rise(0.3).directions(4);
        let found = measure.tolerance(1e-13).run(&objective).unwrap();
        let radius = (2.0f64 * 0.3 / 4.0).sqrt();
        for found in &found.radii {
            assert!(
                (found / radius - 1.0).abs() < 1e-12,
                "{found}, not {radius}"
            );
        }
        let expected = log_ellipsoid(&vec![4.0; size], 0.3);
        let off = (found.log_volume - expected).abs();
        assert!(off < 1e-9, "{}, not {expected}", found.log_volume);
        let each = found.log_volume_per_dimension;
        assert!((each * size as f64 - found.log_volume).abs() < 1e-9);
        assert!((found.mean_log_radius - radius.ln()).abs() < 1e-12);
        assert!(found.standard_error < 1e-8 && (found.largest_share - 0.25).abs() < 1e-8);
        assert_eq!((found.dimension, found.unbounded), (size, 0));
        assert_eq!((found.start, found.cutoff), (0.5, 0.8));
        assert!(found.complete && found.euclidean);
    }
}

#[test]
fn an_ellipsoid_has_the_volume_of_its_determinant_within_the_error() {
    let Some(device) = device() else { return };
    for (size, seed) in [(2, 1), (3, 2), (5, 3), (10, 4), (20, 5)] {
        let steps = (0..size).map(|at| at as f64 / (size - 1) as f64);
        let known = Known::new(steps.map(|share| 5.0 * 2f64.powf(share)).collect());
        let (centre, rise) = (vec![1.0; size], 0.7);
        let objective = quadratic(&device, &known.entries, &centre, &centre, 0.0);
        let measure = Volume::new()
            .euclidean()
            .cutoff(rise)
            .directions(600)
            .seed(seed);
        let found = measure.run(&objective).unwrap();
        let expected = log_ellipsoid(&known.eigenvalues, rise);
        let allowed = 3.0 * found.standard_error + 0.5e-3 * size as f64;
        let off = found.log_volume - expected;
        println!(
            "{size}: {off} ± {}, {}, {} losses",
            found.standard_error, found.largest_share, found.losses
        );
        assert!(
            off.abs() < allowed,
            "{size}: {off} ± {}",
            found.standard_error
        );
        assert!(found.standard_error < 0.2);
        // log r̄ⁿ is no more than the mean's logarithm (Jensen).
        let least = log_unit_ball(size) + size as f64 * found.mean_log_radius;
        assert!(least <= found.log_volume);
        assert_eq!(found, measure.run(&objective).unwrap());
        assert_ne!(found.radii, measure.seed(99).run(&objective).unwrap().radii);
    }
}

/// In the units of the filters: `Σ (d / rms)²` is a sphere. Zero filters and biases stay.
#[test]
fn weights_are_measured_by_their_filters() {
    let Some(device) = device() else { return };
    #[derive(Module, Debug)]
    struct Layer {
        weight: Param<Tensor<2>>,
        bias: Param<Tensor<1>>,
    }
    let autodiff = device.clone().autodiff();
    let at = [3.0, -1.0, 2.0, 0.1, 0.2, 0.0, 0.0, 0.0, 0.0];
    let matrix =
        |values: Vec<f64>| Tensor::<2>::from_data(TensorData::new(values, [3, 3]), &autodiff);
    let (squares, away) = ([14.0f64 / 3.0, 0.05 / 3.0, 1.0], matrix(at.to_vec()));
    let inverse = matrix((0..9).map(|at| 1.0 / squares[at / 3]).collect());
    let module = Layer {
        weight: Param::from_tensor(away.clone()),
        bias: Param::from_tensor(vector(&autodiff, &[1.0; 3])),
    };
    let loss = move |module: &Layer, ()| {
        let away = module.weight.val() - away.clone();
        (away.square() * inverse.clone()).sum() + (module.bias.val() - 1.0).square().sum()
    };
    let objective = Objective::plain(&module, vec![((), 1)], loss).unwrap();
    let measure = Volume::new().rise(0.09).tolerance(1e-12).directions(5);
    let found = measure.run(&objective).unwrap();
    assert_eq!((found.dimension, found.euclidean), (6, false));
    for radius in found.radii {
        assert!((radius - 0.3).abs() < 1e-9, "{radius}");
    }
    let expected = log_unit_ball(6) + 6.0 * 0.3f64.ln();
    assert!((found.log_volume - expected).abs() < 1e-8);
}

#[test]
fn directions_that_never_reach_the_cutoff_are_counted() {
    let Some(device) = device() else { return };
    let slope = vector(&device.clone().autodiff(), &[3.0, 4.0]);
    let loss = move |module: &Point, ()| (module.weight.val() * slope.clone()).sum();
    let objective = Objective::plain(&point(&device, &[0.0; 2]), vec![((), 1)], loss).unwrap();
    let found = Volume::new().euclidean().largest(50.0).directions(40);
    let found = found.run(&objective).unwrap();
    let largest = 50.0 * 2f64.sqrt();
    assert!((found.largest_radius - largest).abs() < 1e-9);
    let at_the_end = found
        .radii
        .iter()
        .filter(|radius| **radius == found.largest_radius);
    assert_eq!(at_the_end.count(), found.unbounded);
    assert!((10..30).contains(&found.unbounded), "{}", found.unbounded);
    // A step of 0.1 along the slope, of length 5, is 0.02.
    assert!(found.radii.iter().all(|radius| *radius > 0.0199));
}

/// A shell that is above the cutoff from 0.1021 to 0.1479, and beyond it low ground up to 1.
#[test]
fn the_first_crossing_is_found_before_low_ground_beyond_it() {
    let Some(device) = device() else { return };
    let loss = |module: &Point, ()| {
        let radius = module.weight.val().square().sum().sqrt();
        let over = |from: f64| (radius.clone() - from).clamp_min(0.0);
        let under = (-radius.clone() + 0.15).clamp_min(0.0);
        over(0.1) * under * 1000.0 + over(1.0)
    };
    let objective = Objective::plain(&point(&device, &[0.0; 4]), vec![((), 1)], loss).unwrap();
    let measure = Volume::new().euclidean().tolerance(1e-10).directions(8);
    let radius = 0.1 + 0.5 * (0.05 - (0.0025f64 - 4e-4).sqrt());
    for found in measure.run(&objective).unwrap().radii {
        assert!((found / radius - 1.0).abs() < 1e-9, "{found}, not {radius}");
    }
}

/// `-ln(1 - |w|²)`, which is not a number outside of the unit ball.
#[test]
fn a_loss_that_is_not_finite_is_outside() {
    let Some(device) = device() else { return };
    let loss = |module: &Point, ()| -(-module.weight.val().square().sum() + 1.0).log();
    let module = point(&device, &[0.0; 500]);
    let objective = Objective::plain(&module, vec![((), 1)], loss).unwrap();
    let measure = Volume::new()
        .euclidean()
        .rise(2.0)
        .tolerance(1e-10)
        .directions(3);
    let radius = (1.0 - (-2.0f64).exp()).sqrt();
    for found in measure.run(&objective).unwrap().radii {
        assert!((found - radius).abs() < 1e-9, "{found}, not {radius}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_an_interruption_leaves_nothing_to_tell() {
    let Some(device) = device() else { return };
    let objective = quadratic(&device, &diagonal(&[1.0, 2.0]), &[0.0; 2], &[1.0; 2], 0.0);
    let euclidean = Volume::new().euclidean();
    let refused = [
        euclidean.clone().directions(1),
        euclidean.clone().largest(0.0),
        euclidean.clone().tolerance(0.0),
        euclidean.clone().tolerance(1.0),
        euclidean.clone().rise(0.0),
        euclidean.clone().rise(f64::NAN),
        euclidean.clone().cutoff(1.5),
    ];
    for volume in refused {
        let error = volume.run(&objective).unwrap_err();
        assert!(matches!(error, FlatnessError::Argument { .. }), "{error}");
    }
    let error = euclidean.clone().cutoff(1.5).run(&objective).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`cutoff` is above 1.5, the loss at the weights, and finite, found 1.5"
    );
    let error = Volume::new().run(&objective).unwrap_err();
    assert!(
        matches!(error, FlatnessError::NoParameters { .. }),
        "{error}"
    );
    let autodiff = device.clone().autodiff();
    let zeros = || Param::from_tensor(Tensor::<2>::zeros([2, 2], &autodiff));
    let module = Layers {
        first: zeros(),
        second: zeros(),
    };
    let loss = |module: &Layers, ()| module.first.val().square().sum();
    let still = Objective::plain(&module, vec![((), 1)], loss).unwrap();
    assert!(matches!(
        Volume::new().run(&still),
        Err(FlatnessError::Argument { .. })
    ));

    let stop = Watch::silent().stop_when(Arc::new(AtomicBool::new(true)));
    let stopped = euclidean.run(&objective.clone().watched(stop)).unwrap_err();
    assert!(matches!(stopped, FlatnessError::Interrupted), "{stopped}");

    let drawn = |measured: bool| {
        device.seed(1);
        if measured {
            euclidean.run(&objective).unwrap();
        }
        values(&Tensor::<1>::random([8], Distribution::Default, &device))
    };
    assert_eq!(drawn(false), drawn(true));
    assert_eq!(values(&objective.weights()), [1.0; 2]);
}
