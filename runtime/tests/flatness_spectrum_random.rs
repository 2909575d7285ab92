//! Traces, diagonals and densities of matrices that are known in closed form. None is diagonal: a
//! diagonal one hides the sampling errors of random signs.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "flatness/matrices.rs"]
mod matrices;

use burn::tensor::{DType, Tensor};
use kiln::flatness::{Density, Diagonal, FlatnessError, Operator, Trace, TraceEstimate};
use matrices::{Known, dot, precisions, values};

fn indefinite() -> Known {
    Known::new((0..40).map(|at| f64::from(at) - 9.5).collect())
}

/// λ_i = 1/i², as a network's.
fn decaying() -> Known {
    Known::new((1..=200).map(|at| f64::from(at).powi(-2)).collect())
}

/// The mean of the estimates, and their mean square error in units of the squared standard error
/// that `variance` of a probe makes.
fn spread(estimates: &[TraceEstimate], trace: f64, variance: f64) -> (f64, f64) {
    let runs = estimates.len() as f64;
    let mean = estimates.iter().map(|estimate| estimate.trace).sum::<f64>() / runs;
    let squares = estimates
        .iter()
        .map(|estimate| (estimate.trace - trace).powi(2) * estimate.probes as f64 / variance);
    (mean, squares.sum::<f64>() / runs)
}

#[test]
fn the_error_of_a_trace_is_that_of_its_closed_form() {
    // It is about 24,000 random vectors, which are the same on each device.
    if kiln::device::name(&matrices::device()) == "wgpu" {
        return;
    }
    let known = indefinite();
    let (off_diagonal, all) = known.squares();
    assert!(off_diagonal > 0.5 * all);
    let operator = known.operator(DType::F32);
    let seeds = 300;
    for (search, variance) in [
        (Trace::hutchinson(), 2.0 * off_diagonal),
        (Trace::hutchinson().gaussian(), 2.0 * all),
    ] {
        // As many probes in each run: none is selected by its own standard error.
        let search = search.probes(40..=40);
        let run = |seed| search.clone().seed(seed).run(&operator).unwrap();
        let estimates: Vec<_> = (0..seeds).map(run).collect();
        let (mean, squares) = spread(&estimates, known.trace(), variance);
        let error = (variance / 40.0 / seeds as f64).sqrt();
        assert!(
            (mean - known.trace()).abs() < 4.0 * error,
            "{mean} ± {error}"
        );
        // The mean of 300 squares is within 4 √(2/300) of its expectation.
        assert!((squares - 1.0).abs() < 0.33, "{squares}");
        let said = estimates
            .iter()
            .map(|estimate| estimate.standard_error.powi(2) * 40.0);
        let said = said.sum::<f64>() / seeds as f64 / variance;
        assert!((said - 1.0).abs() < 0.1, "{said}");
        let far = estimates.iter().filter(|estimate| {
            (estimate.trace - known.trace()).abs() > 3.0 * estimate.standard_error
        });
        // 0.3 % of a normal distribution's, 0.5 % of 40 probes'.
        assert!(far.count() <= 6);
    }
}

#[test]
fn a_trace_ends_on_its_standard_error() {
    for (dtype, _) in precisions() {
        let known = decaying();
        let (off_diagonal, _) = known.squares();
        let operator = known.operator(dtype);
        for tolerance in [0.2, 0.05, 0.02] {
            let estimate = Trace::hutchinson()
                .tolerance(tolerance)
                .probes(10..=10_000)
                .seed(3)
                .run(&operator)
                .unwrap();
            assert!(estimate.complete);
            assert!(estimate.standard_error <= tolerance * estimate.trace);
            assert!((estimate.trace - known.trace()).abs() <= 4.0 * estimate.standard_error);
            let expected = 2.0 * off_diagonal / (tolerance * known.trace()).powi(2);
            let probes = estimate.probes as f64;
            assert!(
                probes >= 10.0 && probes < 2.0 * expected + 10.0,
                "{probes}, not {expected}"
            );
            assert_eq!(estimate.products, estimate.probes);
        }
        let estimate = Trace::hutchinson()
            .tolerance(1e-3)
            .probes(10..=50)
            .run(&operator)
            .unwrap();
        assert!(!estimate.complete && estimate.products == 50);
    }
}

#[test]
fn hutch_plus_plus_is_exact_for_a_low_rank_and_better_for_a_decaying_spectrum() {
    let mut low = vec![0.0; 120];
    low.extend([7.0, 5.0, 5.0, 1.0, -2.0, 0.5]);
    for (dtype, tolerance) in precisions() {
        let known = Known::new(low.clone());
        for rank in [6, 10, 126] {
            let operator = known.operator(dtype);
            let estimate = Trace::hutch_plus_plus(rank).run(&operator).unwrap();
            assert!(estimate.complete);
            assert!((estimate.trace - known.trace()).abs() <= tolerance * known.norm());
            assert_eq!(estimate.products, operator.products.get());
        }
    }
    let known = indefinite();
    let size = known.eigenvalues.len();
    let operator = known.operator(DType::F32);
    let estimate = Trace::hutch_plus_plus(size).run(&operator).unwrap();
    assert!((estimate.trace - known.trace()).abs() <= 1e-4 * known.norm());
    assert_eq!((estimate.probes, estimate.standard_error), (0, 0.0));
    assert_eq!(estimate.products, 2 * size);
    let known = decaying();
    let operator = known.operator(DType::F32);
    let error = |search: Trace| {
        let squares = (0..40).map(|seed| {
            let estimate = search.clone().seed(seed).run(&operator).unwrap();
            assert_eq!(estimate.products, 60);
            (estimate.trace - known.trace()).powi(2)
        });
        (squares.sum::<f64>() / 40.0).sqrt()
    };
    let plain = error(Trace::hutchinson().probes(60..=60));
    let sketched = error(Trace::hutch_plus_plus(20).probes(20..=20));
    println!("60 products: Hutchinson {plain:.4}, Hutch++ {sketched:.4}");
    assert!(sketched < 0.2 * plain, "{sketched} and {plain}");
}

#[test]
fn a_diagonal_and_its_errors_are_those_of_the_closed_form() {
    for (dtype, _) in precisions() {
        let known = indefinite();
        let operator = known.operator(dtype);
        let search = Diagonal::new().probes(400..=400).seed(5);
        let estimate = search.run(&operator).unwrap();
        assert_eq!((estimate.probes, operator.products.get()), (400, 400));
        let found = values(&estimate.diagonal);
        let errors = values(&estimate.standard_error);
        let mut squares = 0.0;
        for (at, row) in known.entries.iter().enumerate() {
            let variance = (dot(row, row) - row[at] * row[at]) / 400.0;
            assert!((errors[at].powi(2) / variance - 1.0).abs() < 0.5);
            assert!((found[at] - row[at]).powi(2) < 16.0 * variance);
            squares += (found[at] - row[at]).powi(2) / variance / 40.0;
        }
        assert!((squares - 1.0).abs() < 0.9, "{squares}");
        let estimate = Diagonal::new().tolerance(0.5).run(&operator).unwrap();
        assert!(estimate.complete && estimate.probes < 400);
    }
}

/// The mean of the powers of A as `start` sees them, from products in double precision.
fn moments(known: &Known, start: &[f64], count: usize) -> Vec<f64> {
    let mut power = start.to_vec();
    let next = |power: &mut Vec<f64>| {
        let moment = dot(start, power);
        *power = known.entries.iter().map(|row| dot(row, power)).collect();
        moment
    };
    (0..count).map(|_| next(&mut power)).collect()
}

/// Remembers the first vector it is given.
struct First<'a>(&'a matrices::Counted, std::cell::RefCell<Vec<f64>>);

impl Operator for First<'_> {
    fn zeros(&self) -> Tensor<1> {
        self.0.zeros()
    }

    fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError> {
        if self.1.borrow().is_empty() {
            *self.1.borrow_mut() = values(&vectors[0]);
        }
        self.0.products(vectors)
    }
}

#[test]
fn the_quadrature_is_exact_to_twice_its_steps() {
    for (dtype, tolerance) in precisions() {
        // Of norm one, so that powers stay small.
        let known = Known::new((0..60).map(|at| f64::from(at).sin()).collect());
        let operator = known.operator(dtype);
        for steps in [1, 3, 8, 60] {
            let first = First(&operator, Vec::new().into());
            let density = Density::new().steps(steps).run(&first).unwrap();
            assert_eq!(
                (density.products, density.runs[0].nodes.len()),
                (steps, steps)
            );
            let start = first.1.into_inner();
            for (power, expected) in moments(&known, &start, 2 * steps).into_iter().enumerate() {
                let found = density.moment(power as i32);
                assert!(
                    (found - expected).abs() <= tolerance,
                    "{power}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn a_density_is_that_of_the_eigenvalues() {
    for (dtype, _) in precisions() {
        // Three of ten at -1, one at 0.4, six at 2.
        let mut eigenvalues = vec![-1.0; 90];
        eigenvalues.extend([0.4; 30]);
        eigenvalues.extend([2.0; 180]);
        let known = Known::new(eigenvalues);
        let operator = known.operator(dtype);
        let density = Density::new().vectors(30).seed(1).run(&operator).unwrap();
        assert!(density.complete && density.size == 300);
        assert!((density.moment(0) - 1.0).abs() < 1e-5);
        let shares = density.histogram(3);
        for ((_, share), expected) in shares.iter().zip([0.3, 0.1, 0.6]) {
            // Of 30 vectors, √(2 · 0.3 · 0.7 / 300 / 30) is 0.007.
            assert!((share - expected).abs() < 0.03, "{shares:?}");
        }
        assert!((density.width - 1e-5f64.sqrt() * 1.5).abs() < 1e-5);
        let peak = 0.6 / (density.width * std::f64::consts::TAU.sqrt());
        assert!((density.at(2.0) / peak - 1.0).abs() < 0.06);
        let error = density.standard_error(2.0) / peak;
        assert!(error > 0.003 && error < 0.03, "{error}");
        assert!(density.at(1.0) < 1e-6);
        // Simpson's rule would not see such peaks better than this.
        let density = density.with_width(0.1);
        let grid = density.grid(1001);
        let mass: f64 = grid
            .windows(2)
            .map(|ends| (ends[1].0 - ends[0].0) * ends[0].1)
            .sum();
        assert!((mass - 1.0).abs() < 1e-4, "{mass}");
    }
}

#[test]
fn pictures_and_tables_hold_what_was_found() {
    for known in [
        indefinite(),
        Known::new(vec![0.0; 20]),
        Known::new(vec![3.0; 20]),
        Known::new(vec![-2.0]),
    ] {
        let operator = known.operator(DType::F32);
        let density = Density::new().vectors(2).run(&operator).unwrap();
        let svg = density.svg();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(
            svg.contains("<polyline") && !svg.contains("NaN") && !svg.contains("inf"),
            "{svg}"
        );
        let nodes: usize = density.runs.iter().map(|run| run.nodes.len()).sum();
        assert_eq!(density.to_csv().lines().count(), 1 + nodes);
        let total: f64 = density.histogram(7).iter().map(|(_, share)| share).sum();
        assert!((total - 1.0).abs() < 1e-5);
        let json = serde_json::to_value(&density).unwrap();
        assert_eq!(json["size"], known.eigenvalues.len());
    }
}

#[test]
fn an_interruption_leaves_what_there_is() {
    let known = indefinite();
    let stopped = || {
        let mut operator = known.operator(DType::F32);
        operator.stop_after = 13;
        operator
    };
    let search = Trace::hutchinson().together(1).tolerance(1e-6);
    let estimate = search.clone().run(&stopped()).unwrap();
    assert!(!estimate.complete && estimate.probes == 13);
    let whole = search
        .probes(13..=13)
        .run(&known.operator(DType::F32))
        .unwrap();
    assert_eq!(estimate.trace.to_bits(), whole.trace.to_bits());
    let error = Trace::hutch_plus_plus(10).run(&stopped()).unwrap_err();
    assert!(matches!(error, FlatnessError::Interrupted));
    let estimate = Diagonal::new()
        .together(1)
        .tolerance(1e-6)
        .run(&stopped())
        .unwrap();
    assert!(!estimate.complete && estimate.probes == 13);
    let density = Density::new().steps(10).vectors(3).run(&stopped()).unwrap();
    assert!(!density.complete && density.products == 13);
    assert_eq!(density.runs[1].nodes.len(), 3);
    // Too late to stop anything.
    let density = Density::new().steps(13).run(&stopped()).unwrap();
    assert!(density.complete && density.products == 13);
}

#[test]
fn one_seed_gives_the_same_bits() {
    let known = indefinite();
    let operator = known.operator(DType::F32);
    let trace = |seed| {
        Trace::hutch_plus_plus(3)
            .seed(seed)
            .run(&operator)
            .unwrap()
            .trace
    };
    assert_eq!(trace(4).to_bits(), trace(4).to_bits());
    assert_ne!(trace(4), trace(5));
    let density = |seed| {
        Density::new()
            .steps(9)
            .seed(seed)
            .run(&operator)
            .unwrap()
            .runs
    };
    assert_eq!(density(4), density(4));
    assert_ne!(density(4), density(5));
    let diagonal = |seed| values(&Diagonal::new().seed(seed).run(&operator).unwrap().diagonal);
    assert_eq!(diagonal(4), diagonal(4));
    assert_ne!(diagonal(4), diagonal(5));
}

#[test]
fn what_cannot_be_is_refused() {
    let known = indefinite();
    let operator = known.operator(DType::F32);
    let name = |error| match error {
        FlatnessError::Argument { name, .. } => name,
        other => panic!("{other}"),
    };
    let trace = |trace: Trace| name(trace.run(&operator).unwrap_err());
    assert_eq!(trace(Trace::hutchinson().tolerance(-1.0)), "tolerance");
    assert_eq!(trace(Trace::hutchinson().probes(1..=9)), "probes");
    #[allow(clippy::reversed_empty_ranges, reason = "it is what is refused")]
    let reversed = Trace::hutchinson().probes(9..=8);
    assert_eq!(trace(reversed), "probes");
    assert_eq!(trace(Trace::hutchinson().together(0)), "together");
    assert_eq!(trace(Trace::hutch_plus_plus(0)), "rank");
    assert_eq!(trace(Trace::hutch_plus_plus(41)), "rank");
    let diagonal = |diagonal: Diagonal| name(diagonal.run(&operator).unwrap_err());
    assert_eq!(diagonal(Diagonal::new().tolerance(f64::NAN)), "tolerance");
    let density = |density: Density| name(density.run(&operator).unwrap_err());
    assert_eq!(density(Density::new().steps(0)), "steps");
    assert_eq!(density(Density::new().vectors(0)), "vectors");
    let poisoned = || {
        let mut operator = known.operator(DType::F32);
        operator.poison_after = 4;
        operator
    };
    for error in [
        Trace::hutchinson().run(&poisoned()).err().unwrap(),
        Trace::hutch_plus_plus(3).run(&poisoned()).err().unwrap(),
        Trace::hutch_plus_plus(9).run(&poisoned()).err().unwrap(),
        Diagonal::new().run(&poisoned()).err().unwrap(),
        Density::new().run(&poisoned()).err().unwrap(),
    ] {
        assert!(
            error
                .to_string()
                .starts_with("product 5 with the operator is not finite")
        );
    }
}
