//! The ends of spectra that are known in closed form.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "flatness/matrices.rs"]
mod matrices;

use std::cell::RefCell;

use burn::tensor::{DType, Tensor};
use kiln::flatness::{
    CriticalPoint, Density, Diagonal, FlatnessError, Lanczos, Matrix, Operator, Spectrum, Trace,
};
use matrices::{Known, Noisy, dot, precisions, values};

fn spectra() -> Vec<(&'static str, Vec<f64>)> {
    let indefinite = |size: usize| (0..size).map(move |at| at as f64 - size as f64 / 3.0);
    let geometric = |size: usize, condition: f64| {
        (0..size).map(move |at| condition.powf(at as f64 / (size - 1) as f64))
    };
    let mut clustered: Vec<f64> = (0..100).map(|at| 0.01 * f64::from(at)).collect();
    clustered.extend([10.0, 10.0 + 1e-3, 10.0 + 2e-3, 9.0, -5.0, -5.001]);
    let mut multiple = vec![5.0, 5.0, 5.0, 5.0, -2.0, -2.0, 3.0];
    multiple.extend((0..60).map(|at| f64::from(at) / 30.0));
    let mut low = vec![0.0; 200];
    low.extend([7.0, 7.0, 4.0, -1.0]);
    let mut outliers: Vec<f64> = (0..490).map(|at| 1e-3 * f64::from(at)).collect();
    outliers.extend([26.0, 13.0, 8.0, 7.5, 7.0, 3.0, 2.0, 1.0, -0.5, -0.25]);
    vec![
        ("indefinite", indefinite(150).collect()),
        ("ill-conditioned", geometric(60, 1e6).collect()),
        ("clustered", clustered),
        ("multiple", multiple),
        ("of low rank", low),
        ("of a network's kind", outliers),
        ("zero", vec![0.0; 30]),
        ("one by one", vec![-3.0]),
        ("two by two", vec![1.0, 2.0]),
        ("identity", vec![1.0; 500]),
    ]
}

/// Against the closed form, and against the residuals it says.
fn check(name: &str, known: &Known, spectrum: &Spectrum, dtype: DType, tolerance: f64) {
    let size = known.eigenvalues.len();
    let scale = known.norm().max(f64::MIN_POSITIVE);
    // The matrix itself is rounded to the precision.
    let rounded = if dtype == DType::F64 { 2e-14 } else { 1e-6 } * scale;
    assert!(
        spectrum.complete,
        "{name} after {} products",
        spectrum.products
    );
    let top = (0..spectrum.top.len()).map(|at| known.eigenvalues[size - 1 - at]);
    let bottom = known.eigenvalues.iter().copied();
    let pairs = spectrum.top.iter().zip(top);
    let pairs: Vec<_> = pairs.chain(spectrum.bottom.iter().zip(bottom)).collect();
    for (pair, expected) in &pairs {
        let error = (pair.value - expected).abs();
        let found = pair.value;
        assert!(
            error <= tolerance * scale,
            "{name}: {found}, not {expected}"
        );
        assert!(
            error <= pair.residual + rounded,
            "{name}: {found}, not {expected} ± {}",
            pair.residual
        );
        let vector = values(&pair.vector);
        let residual = known.residual(pair.value, &vector);
        assert!(
            residual <= 1.01 * pair.residual + rounded,
            "{name}: {residual}, not {}",
            pair.residual
        );
        assert!((dot(&vector, &vector) - 1.0).abs() <= 1e-5);
    }
    for (at, (left, _)) in pairs.iter().enumerate() {
        for (right, _) in &pairs[..at] {
            let product = dot(&values(&left.vector), &values(&right.vector));
            assert!(product.abs() <= 1e-4, "{name}: {product}");
        }
    }
}

#[test]
fn eigenvalues_are_those_of_the_closed_form_and_within_the_residuals() {
    for (dtype, tolerance) in precisions() {
        for (name, eigenvalues) in spectra() {
            let known = Known::new(eigenvalues);
            let operator = known.operator(dtype);
            let size = known.eigenvalues.len();
            for (top, bottom) in [(1, 0), (3, 2), (0, 4)] {
                let bottom = size.min(bottom);
                let top = top.min(size - bottom);
                // Of a cluster, the residual has to be under the distances.
                let search = Lanczos::new()
                    .top(top)
                    .bottom(bottom)
                    .tolerance(0.01 * tolerance);
                let before = operator.products.get();
                let spectrum = search.run(&operator).unwrap();
                println!(
                    "{name} {dtype:?} {top} {bottom}: {} products",
                    spectrum.products
                );
                assert_eq!(spectrum.products, operator.products.get() - before);
                assert_eq!((spectrum.top.len(), spectrum.bottom.len()), (top, bottom));
                check(name, &known, &spectrum, dtype, tolerance);
            }
        }
    }
}

#[test]
fn a_small_memory_takes_more_products_and_finds_the_same() {
    for (dtype, tolerance) in precisions() {
        for (name, eigenvalues) in spectra() {
            // Restarts find the smallest of these after thousands of products.
            if name == "ill-conditioned" {
                continue;
            }
            let known = Known::new(eigenvalues);
            let operator = known.operator(dtype);
            let search = Lanczos::new().tolerance(0.01 * tolerance).products(4000);
            let search = match known.eigenvalues.len() {
                1 | 2 => search,
                _ => search.top(2).bottom(1).memory(24),
            };
            let spectrum = search.run(&operator).unwrap();
            println!("{name} {dtype:?}: {} products", spectrum.products);
            check(name, &known, &spectrum, dtype, tolerance);
        }
    }
}

/// What is locked is not exact, and what a restart keeps beside it sees that.
#[test]
fn residuals_hold_after_restarts_beside_pairs_that_are_not_exact() {
    let (_, eigenvalues) = spectra().swap_remove(5);
    let known = Known::new(eigenvalues);
    let operator = known.operator(DType::F32);
    for tolerance in [0.1, 0.03, 0.01] {
        for seed in 0..10 {
            let search = Lanczos::new().top(6).bottom(2).memory(28).seed(seed);
            let spectrum = search.tolerance(tolerance).run(&operator).unwrap();
            for pair in spectrum.top.iter().chain(&spectrum.bottom) {
                let residual = known.residual(pair.value, &values(&pair.vector));
                let said = pair.residual;
                println!("{tolerance} {residual:.6} {said:.6}");
                assert!(residual <= 1.01 * said, "{residual}, not {said}");
            }
        }
    }
}

/// Iterates as PyHessian does, to a residual instead of to a change of the value.
fn power_iteration(operator: &dyn Operator, tolerance: f64) -> usize {
    let start = Lanczos::new().products(1).run(operator).unwrap();
    let mut vector = start.top[0].vector.clone();
    for product in 1.. {
        let next = operator.product(&vector).unwrap();
        let value: f64 = (vector.clone() * next.clone()).sum().into_scalar();
        let rest = next.clone() - vector * value;
        let residual: f64 = rest.square().sum().sqrt().into_scalar();
        if residual <= tolerance * value.abs() || product == 5000 {
            return product;
        }
        let norm: f64 = next.clone().square().sum().sqrt().into_scalar();
        vector = next / norm;
    }
    0
}

#[test]
fn no_more_products_than_a_power_iteration_takes() {
    for (name, eigenvalues) in spectra() {
        let known = Known::new(eigenvalues);
        if known.norm() == 0.0 {
            continue;
        }
        let operator = known.operator(DType::F32);
        for tolerance in [1e-2, 1e-3] {
            // A power iteration finds the largest absolute one.
            let search = Lanczos::new().tolerance(tolerance);
            let spectrum = search.run(&operator).unwrap();
            let power = power_iteration(&operator, tolerance);
            println!(
                "{name} to {tolerance}: {} products, power iteration {power}",
                spectrum.products
            );
            let largest = known.eigenvalues[known.eigenvalues.len() - 1];
            assert!(
                spectrum.products <= power || largest < known.norm(),
                "{name}"
            );
        }
    }
}

#[test]
fn a_search_that_is_stopped_gives_what_it_has_and_says_so() {
    let (_, eigenvalues) = spectra().swap_remove(5);
    let known = Known::new(eigenvalues);
    let search = Lanczos::new().top(3).bottom(1).tolerance(1e-6);
    for after in [1, 2, 5, 12] {
        let mut operator = known.operator(DType::F32);
        operator.stop_after = after;
        let interrupted = search.run(&operator).unwrap();
        let operator = known.operator(DType::F32);
        let ended = search.clone().products(after).run(&operator).unwrap();
        for spectrum in [interrupted, ended] {
            assert!(!spectrum.complete);
            assert_eq!(spectrum.products, after);
            assert_eq!(spectrum.top.len(), after.min(3));
            assert_eq!(spectrum.bottom.len(), usize::from(after > 3));
            for pair in spectrum.top.iter().chain(&spectrum.bottom) {
                let residual = known.residual(pair.value, &values(&pair.vector));
                assert!(
                    residual <= 1.01 * pair.residual,
                    "{residual}, not {}",
                    pair.residual
                );
                assert!(residual >= 0.9 * pair.residual - 1e-3);
            }
        }
    }
}

#[test]
fn an_eigenvalue_that_the_first_vector_hardly_sees_is_found() {
    let mut eigenvalues = vec![1.0; 500];
    eigenvalues.push(1.5);
    let known = Known::new(eigenvalues);
    let operator = known.operator(DType::F32);
    for seed in 0..20 {
        // Of the first vector alone, the residual is 0.5 / √500.
        let search = Lanczos::new().tolerance(0.05).seed(seed);
        let spectrum = search.run(&operator).unwrap();
        assert!((spectrum.top[0].value - 1.5).abs() < 1e-4);
        assert!(spectrum.complete && spectrum.products <= 4);
    }
}

#[test]
fn one_seed_gives_the_same_bits_and_another_the_same_values() {
    let (_, eigenvalues) = spectra().swap_remove(5);
    let known = Known::new(eigenvalues);
    let operator = known.operator(DType::F32);
    let run = |seed| {
        Lanczos::new()
            .top(2)
            .bottom(2)
            .seed(seed)
            .run(&operator)
            .unwrap()
    };
    let (first, again, other) = (run(7), run(7), run(8));
    for ((first, again), other) in first.top.iter().zip(&again.top).zip(&other.top) {
        assert_eq!(first.value.to_bits(), again.value.to_bits());
        assert_eq!(values(&first.vector), values(&again.vector));
        assert!((first.value - other.value).abs() <= first.residual + other.residual);
        assert_ne!(values(&first.vector), values(&other.vector));
    }
    let json = serde_json::to_value(&first).unwrap();
    assert_eq!(json["top"][0]["value"], first.top[0].value);
}

#[test]
fn a_critical_point_is_told_within_the_errors() {
    let cases = [
        (vec![1.0, 2.0, 5.0, 9.0], CriticalPoint::Minimum),
        (vec![-1.0, -2.0, -5.0], CriticalPoint::Maximum),
        (vec![-1.0, 2.0, 3.0, 0.0], CriticalPoint::Saddle),
        (vec![0.0, 2.0, 3.0, 3.0], CriticalPoint::Undecided),
        (vec![0.0, -2.0, -3.0], CriticalPoint::Undecided),
        (vec![1e-9, 2.0, 3.0], CriticalPoint::Undecided),
        (vec![0.0, 0.0], CriticalPoint::Undecided),
    ];
    for (eigenvalues, expected) in cases {
        let known = Known::new(eigenvalues.clone());
        let operator = known.operator(DType::F32);
        let both = Lanczos::new().top(1).bottom(1).run(&operator).unwrap();
        assert_eq!(both.critical_point(), expected, "{eigenvalues:?}");
        let one = Lanczos::new().top(1).run(&operator).unwrap();
        let told = if expected == CriticalPoint::Maximum {
            expected
        } else {
            CriticalPoint::Undecided
        };
        assert_eq!(one.critical_point(), told, "{eigenvalues:?}");
        let step = match expected {
            CriticalPoint::Minimum | CriticalPoint::Maximum => Some(3.0),
            _ => None,
        };
        let found = both.newton_step(3.0);
        assert_eq!(found.is_some(), step.is_some());
        assert!((found.unwrap_or(0.0) - step.unwrap_or(0.0)).abs() < 1e-3);
    }
}

/// The null space of a convex loss is no saddle because the products are noisy.
#[test]
fn noise_of_the_products_decides_nothing() {
    let cases = [
        (4, 2, CriticalPoint::Undecided),
        (30, 10, CriticalPoint::Undecided),
        (200, 150, CriticalPoint::Undecided),
        (40, 0, CriticalPoint::Minimum),
    ];
    for (size, zeros, expected) in cases {
        let value = |at: usize| if at < zeros { 0.0 } else { 1.0 + at as f64 };
        let known = Known::new((0..size).map(value).collect());
        for (dtype, _) in precisions() {
            let (mut off, mut wide) = (0, 0.0_f64);
            for seed in 0..25 {
                let operator = Noisy {
                    matrix: known.operator(dtype).matrix,
                    share: 1e-4,
                    state: RefCell::new(seed),
                };
                let spectrum = Lanczos::new().top(1).bottom(1).run(&operator).unwrap();
                assert!(spectrum.complete);
                let found = spectrum.critical_point();
                assert_eq!(found, expected, "{size} {seed} {:?}", spectrum.bottom);
                for pair in spectrum.top.iter().chain(&spectrum.bottom) {
                    let near = known.eigenvalues.iter().map(|one| (one - pair.value).abs());
                    off += usize::from(near.fold(f64::INFINITY, f64::min) > pair.residual);
                }
                wide = wide.max(spectrum.rounding / known.norm());
            }
            println!("{size} {dtype:?}: {off} outside, rounding up to {wide:e}");
            assert_eq!(off, 0);
            assert!(wide < 1e-2);
        }
    }
    // Far outside of the noise.
    let known = Known::new((0..40).map(|at| f64::from(at) - 3.0).collect());
    let operator = |share| Noisy {
        matrix: known.operator(DType::F32).matrix,
        share,
        state: RefCell::new(1),
    };
    let search = Lanczos::new().top(1).bottom(1);
    let spectrum = search.run(&operator(1e-4)).unwrap();
    assert_eq!(spectrum.critical_point(), CriticalPoint::Saddle);
    // More noise than the tolerance allows.
    assert!(!search.run(&operator(0.1)).unwrap().complete);
}

#[test]
fn a_matrix_that_is_not_symmetric_is_told() {
    let entries = [[1.0, 5.0, 0.0], [0.0, 2.0, 5.0], [0.0, 0.0, 3.0]];
    let matrix = Matrix::new(Tensor::from_floats(entries, &matrices::device())).unwrap();
    let spectrum = Lanczos::new().top(1).bottom(1).run(&matrix).unwrap();
    assert!(!spectrum.complete && spectrum.rounding > 1.0);
    assert_eq!(spectrum.critical_point(), CriticalPoint::Undecided);
}

#[test]
fn a_condition_number_is_within_its_bounds() {
    for (dtype, _) in precisions() {
        for (sign, condition) in [(1.0, 10.0), (-1.0, 10.0), (1.0, 1e6)] {
            let at = |at: i32| sign * f64::powf(condition, f64::from(at) / 39.0);
            let known = Known::new((0..40).map(at).collect());
            let operator = known.operator(dtype);
            let search = Lanczos::new().top(1).bottom(1).tolerance(1e-14);
            let found = search.run(&operator).unwrap().condition_number().unwrap();
            let single = dtype != DType::F64 && condition > 1e3;
            assert!(
                found.lower <= condition && condition <= found.upper,
                "{found:?}"
            );
            assert!(
                single || (found.value / condition - 1.0).abs() < 1e-4,
                "{found:?}"
            );
            assert!(!single || found.upper.is_infinite() || found.upper > 1.1 * condition);
        }
        let known = Known::new(vec![-1.0, 2.0, 3.0]);
        let operator = known.operator(dtype);
        let both = Lanczos::new().top(1).bottom(1).run(&operator).unwrap();
        assert_eq!(both.condition_number(), None);
        let top = Lanczos::new().run(&operator).unwrap();
        assert_eq!(top.condition_number(), None);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let known = Known::new(vec![1.0, 2.0, 3.0]);
    let operator = known.operator(DType::F32);
    for (search, setting) in [
        (Lanczos::new().top(0), "top + bottom"),
        (Lanczos::new().top(2).bottom(2), "top + bottom"),
        (Lanczos::new().top(usize::MAX).bottom(2), "top + bottom"),
        (Lanczos::new().tolerance(0.0), "tolerance"),
        (Lanczos::new().tolerance(f64::NAN), "tolerance"),
        (Lanczos::new().tolerance(f64::INFINITY), "tolerance"),
        (Lanczos::new().products(0), "products"),
        (Lanczos::new().memory(6), "memory"),
    ] {
        match search.run(&operator).unwrap_err() {
            FlatnessError::Argument { name, .. } => assert_eq!(name, setting),
            other => panic!("{other}"),
        }
    }
    for after in [0, 2] {
        let mut poisoned = known.operator(DType::F32);
        poisoned.poison_after = after;
        let error = Lanczos::new()
            .top(3)
            .run(&poisoned)
            .unwrap_err()
            .to_string();
        let expected = format!("product {} with the operator is not finite", after + 1);
        assert!(error.starts_with(&expected), "{error}");
    }
}

/// Says one size and gives another.
struct Short;

impl Operator for Short {
    fn zeros(&self) -> Tensor<1> {
        Tensor::zeros([4], &matrices::device())
    }

    fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError> {
        Ok(vectors
            .iter()
            .map(|vector| vector.clone().narrow(0, 0, 3))
            .collect())
    }
}

#[test]
fn a_product_of_another_length_is_refused() {
    for error in [
        Lanczos::new().run(&Short).err().unwrap(),
        Density::new().run(&Short).err().unwrap(),
        Trace::hutchinson().run(&Short).err().unwrap(),
        Trace::hutch_plus_plus(2).run(&Short).err().unwrap(),
        Diagonal::new().run(&Short).err().unwrap(),
    ] {
        assert_eq!(
            error.to_string(),
            "the operator acts on vectors of length 4, found one of length 3"
        );
    }
}
