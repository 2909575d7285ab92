//! Bias and variance beside their closed forms.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use kiln::diagnose::{DiagnoseError, Predictions};
use nalgebra::{DMatrix, DVector};

/// Uniform in (0, 1], by Knuth's MMIX generator; its high bits.
struct Lcg(u64);

impl Lcg {
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) + 1) as f64 * 2f64.powi(-53)
    }

    /// Box and Muller 1958.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

const NOISE: f64 = 0.25;

/// A polynomial fit with a ridge penalty on a fixed design: ŷ = S y at the test points, so that with
/// y = f + ε, var ε = σ², the bias is S f − f and the variance σ² diag(S Sᵀ).
struct Ridge {
    /// From the values at the design's points to the predictions at the test points.
    smoother: DMatrix<f64>,
    design: Vec<f64>,
    test: Vec<f64>,
}

fn f(x: f64) -> f64 {
    (3.0 * x).sin() + 0.5 * x
}

impl Ridge {
    fn new(degree: usize, penalty: f64) -> Ridge {
        let at = |count: usize, shift: f64| {
            (0..count)
                .map(move |i| (i as f64 + shift) / count as f64 * 2.0 - 1.0)
                .collect()
        };
        let (design, test): (Vec<f64>, Vec<f64>) = (at(20, 0.0), at(15, 0.37));
        let powers = |x: &[f64]| DMatrix::from_fn(x.len(), degree + 1, |i, k| x[i].powi(k as i32));
        let x = powers(&design);
        let gram = x.transpose() * &x + DMatrix::identity(degree + 1, degree + 1) * penalty;
        let smoother = powers(&test) * gram.try_inverse().unwrap() * x.transpose();
        Ridge {
            smoother,
            design,
            test,
        }
    }

    /// Squared bias and variance, the means over the test points.
    fn closed_form(&self) -> [f64; 2] {
        let values = DVector::from_iterator(self.design.len(), self.design.iter().map(|x| f(*x)));
        let bias = &self.smoother * values - DVector::from_vec(self.expected());
        let points = self.test.len() as f64;
        let variance = NOISE * self.smoother.norm_squared();
        [bias.norm_squared() / points, variance / points]
    }

    fn expected(&self) -> Vec<f64> {
        self.test.iter().map(|x| f(*x)).collect()
    }

    fn predictions(&self, repeats: usize, seed: u64) -> Predictions<f64> {
        let mut random = Lcg(seed);
        let predictions = Predictions::over(repeats, |_| {
            let values = self
                .design
                .iter()
                .map(|x| f(*x) + NOISE.sqrt() * random.normal());
            let values = DVector::from_iterator(self.design.len(), values);
            Ok::<_, DiagnoseError>((&self.smoother * values).iter().copied().collect())
        });
        predictions.unwrap()
    }
}

#[test]
fn the_parts_agree_with_their_closed_forms_and_sum_to_the_error() {
    for (degree, penalty) in [(1, 0.0), (3, 0.0), (3, 1.0), (7, 0.0), (7, 0.1), (9, 10.0)] {
        let ridge = Ridge::new(degree, penalty);
        let [bias, variance] = ridge.closed_form();
        let expected = ridge.expected();
        let noise = vec![NOISE; expected.len()];
        let parts = ridge
            .predictions(4000, 7)
            .squared_error(&expected, &noise)
            .unwrap();
        let (unbiased, errors) = (parts.unbiased.unwrap(), parts.standard_error.unwrap());
        println!("degree {degree}, penalty {penalty}: {bias} {variance}\n{parts}\n");
        for sum in [parts.plain.sum(), unbiased.sum()] {
            assert!(
                (sum / parts.error - 1.0).abs() < 1e-12,
                "{sum} {}",
                parts.error
            );
        }
        assert!((parts.plain.noise - NOISE).abs() < 1e-12);
        let off = (unbiased.squared_bias - bias).abs();
        assert!(
            off <= 3.0 * errors.squared_bias,
            "{off} {}",
            errors.squared_bias
        );
        let off = (unbiased.variance - variance).abs();
        assert!(off <= 3.0 * errors.variance, "{off} {}", errors.variance);
        // The errors are small enough for that to say something.
        assert!(errors.variance < 0.05 * variance);
    }
}

/// Over all training sets there are, the expected error is known exactly: the noise is −s or s at
/// each of three points, and the prediction is the mean of the three.
#[test]
fn over_every_training_set_the_parts_are_the_closed_form_to_rounding() {
    let (s, f) = (0.7, [1.0, 2.0, 4.0]);
    let sets = (0..8).map(|set: i32| {
        let values = (0..3).map(|i| f[i] + if set >> i & 1 == 1 { s } else { -s });
        vec![values.sum::<f64>() / 3.0; 3]
    });
    let predictions = Predictions::new(sets.collect()).unwrap();
    let parts = predictions.squared_error(&f, &[s * s; 3]).unwrap();
    let mean = 7.0 / 3.0;
    let bias = f.iter().map(|f| (f - mean) * (f - mean)).sum::<f64>() / 3.0;
    let near =
        |found: f64, known: f64| assert!((found / known - 1.0).abs() < 1e-12, "{found} {known}");
    near(parts.plain.squared_bias, bias);
    near(parts.plain.variance, s * s / 3.0);
    near(parts.plain.noise, s * s);
    near(parts.error, s * s + bias + s * s / 3.0);
    near(parts.plain.sum(), parts.error);
}

/// The standard error is what the estimates of independent experiments differ by.
#[test]
fn the_jackknife_tells_the_spread_of_the_estimates() {
    let ridge = Ridge::new(3, 0.0);
    let expected = ridge.expected();
    let runs = (0..300).map(|seed| {
        let predictions = ridge.predictions(30, 1 + seed);
        predictions
            .squared_error(&expected, &vec![NOISE; expected.len()])
            .unwrap()
    });
    let runs: Vec<_> = runs.collect();
    let count = runs.len() as f64;
    let of = |part: fn(&kiln::diagnose::Parts) -> f64| {
        let values: Vec<f64> = runs
            .iter()
            .map(|run| part(&run.unbiased.unwrap()))
            .collect();
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let spread = (squares.sum::<f64>() / (count - 1.0)).sqrt();
        let told = runs
            .iter()
            .map(|run| part(&run.standard_error.unwrap()))
            .sum::<f64>()
            / count;
        println!("{told} {spread}");
        assert!((told / spread - 1.0).abs() < 0.2, "{told} {spread}");
    };
    of(|parts| parts.variance);
    of(|parts| parts.squared_bias);
}

/// Domingos 2000 on two classes: at a point where the share p of the training sets gives the label,
/// the error is 1 − p, made of a bias of 0 or 1 and a variance of min(p, 1 − p).
#[test]
fn mistakes_are_bias_and_net_variance() {
    let votes = [10, 7, 5, 2, 0];
    let rows = (0..10).map(|row| {
        votes
            .iter()
            .map(|votes| usize::from(row >= *votes))
            .collect()
    });
    let predictions = Predictions::<usize>::new(rows.collect()).unwrap();
    let parts = predictions.zero_one(&[0; 5]).unwrap();
    // At five of ten the smaller class is the main one, and that is the label.
    assert!((parts.bias - 2.0 / 5.0).abs() < 1e-12);
    assert!((parts.unbiased_variance - (0.0 + 0.3 + 0.5) / 5.0).abs() < 1e-12);
    assert!((parts.biased_variance - (0.2 + 0.0) / 5.0).abs() < 1e-12);
    assert!((parts.error - (0.0 + 0.3 + 0.5 + 0.8 + 1.0) / 5.0).abs() < 1e-12);
    assert!((parts.bias + parts.net_variance() - parts.error).abs() < 1e-12);
}

/// Of many classes, drawn by chance.
#[test]
fn bias_and_net_variance_sum_to_the_mistakes() {
    let mut random = Lcg(5);
    let mut class = |most: f64| (random.unit() * most) as usize;
    let labels: Vec<usize> = (0..40).map(|_| class(4.0)).collect();
    let rows = (0..17).map(|_| {
        labels
            .iter()
            .map(|label| (label + class(3.0)) % 5)
            .collect()
    });
    let predictions = Predictions::<usize>::new(rows.collect()).unwrap();
    let parts = predictions.zero_one(&labels).unwrap();
    assert!(parts.bias > 0.0 && parts.unbiased_variance > 0.0 && parts.biased_variance > 0.0);
    assert!((parts.bias + parts.net_variance() - parts.error).abs() < 1e-12);
}

#[test]
fn what_cannot_be_is_an_error() {
    let none = Predictions::<f64>::new(Vec::new()).unwrap_err();
    assert!(matches!(none, DiagnoseError::Empty { .. }), "{none}");
    let none = Predictions::<f64>::new(vec![Vec::new()]).unwrap_err();
    assert!(matches!(none, DiagnoseError::Empty { .. }), "{none}");
    let uneven = Predictions::new(vec![vec![1.0, 2.0], vec![1.0]]).unwrap_err();
    assert!(
        matches!(
            uneven,
            DiagnoseError::Length {
                expected: 2,
                found: 1,
                ..
            }
        ),
        "{uneven}"
    );
    let failed = Predictions::<f64>::over(3, |repeat| match repeat {
        0 => Ok(vec![1.0]),
        _ => Err("no memory"),
    });
    let failed = failed.unwrap_err();
    assert!(
        matches!(failed, DiagnoseError::Repeat { repeat: 1, .. }),
        "{failed}"
    );

    let two = Predictions::new(vec![vec![1.0, 2.0]; 2]).unwrap();
    for (expected, noise) in [(vec![0.0], vec![0.0; 2]), (vec![0.0; 2], vec![])] {
        let error = two.squared_error(&expected, &noise).unwrap_err();
        assert!(matches!(error, DiagnoseError::Length { .. }), "{error}");
    }
    for (expected, noise) in [
        ([f64::NAN, 0.0], [0.0; 2]),
        ([0.0; 2], [0.0, f64::INFINITY]),
    ] {
        let error = two.squared_error(&expected, &noise).unwrap_err();
        assert!(matches!(error, DiagnoseError::NonFinite { .. }), "{error}");
    }
    let error = two.squared_error(&[0.0; 2], &[-1.0, 0.0]).unwrap_err();
    assert!(
        matches!(error, DiagnoseError::Argument { name: "noise", .. }),
        "{error}"
    );
    let wild = Predictions::new(vec![vec![1.0, f64::NAN]]).unwrap();
    let error = wild.squared_error(&[0.0; 2], &[0.0; 2]).unwrap_err();
    assert!(error.to_string().contains("test point 1"), "{error}");
    let one = Predictions::new(vec![vec![1.0, 2.0]]).unwrap();
    let parts = one.squared_error(&[0.0; 2], &[0.0; 2]).unwrap();
    assert_eq!((parts.unbiased, parts.standard_error), (None, None));
    assert_eq!(
        [parts.error, parts.plain.squared_bias, parts.plain.variance],
        [2.5, 2.5, 0.0]
    );
    let classes = Predictions::new(vec![vec![1, 2]]).unwrap();
    assert!(classes.zero_one(&[1]).is_err());
}
