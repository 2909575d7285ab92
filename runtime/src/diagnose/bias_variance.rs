//! The expected squared error as noise, squared bias and variance.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::DiagnoseError;
use crate::svg::short;

/// What was predicted at fixed test points after training on each of several training sets.
///
/// Numbers, `Predictions<f64>`, for [`squared_error`](Self::squared_error); classes,
/// `Predictions<usize>`, for [`zero_one`](Predictions::zero_one).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predictions<T> {
    /// For each training set the predictions at all points.
    rows: Vec<Vec<T>>,
}

impl<T> Predictions<T> {
    /// Trains on `repeats` training sets: `train(r)` draws number r, counted from 0, trains a fresh
    /// model on it, and gives its predictions at the test points, which stay the same.
    ///
    /// What differs between the training sets is what the variance is over: their examples, and the
    /// seeds of the initial weights and of the training where `train` makes them depend on r.
    ///
    /// # Errors
    ///
    /// No repeat or no test point; predictions of different lengths; an error of `train`.
    pub fn over<E: Into<Box<dyn Error + Send + Sync>>>(
        repeats: usize,
        mut train: impl FnMut(usize) -> Result<Vec<T>, E>,
    ) -> Result<Self, DiagnoseError> {
        let rows = (0..repeats).map(|repeat| {
            train(repeat).map_err(|source| DiagnoseError::Repeat {
                repeat,
                source: source.into(),
            })
        });
        Predictions::new(rows.collect::<Result<_, _>>()?)
    }

    /// Predictions that are there: for each training set those at all points.
    ///
    /// # Errors
    ///
    /// As [`over`](Self::over).
    pub fn new(rows: Vec<Vec<T>>) -> Result<Self, DiagnoseError> {
        let expected = rows.first().map_or(0, Vec::len);
        if expected == 0 {
            return Err(DiagnoseError::Empty {
                what: "predictions",
                fix: "train on at least one training set, and predict at one test point or more",
            });
        }
        for (repeat, row) in rows.iter().enumerate() {
            let what = || format!("the predictions of training set {repeat}, counted from 0");
            length(what, expected, row.len())?;
        }
        Ok(Predictions { rows })
    }

    /// For each training set the predictions at all points.
    pub fn rows(&self) -> &[Vec<T>] {
        &self.rows
    }

    /// The number of test points.
    pub(super) fn points(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }
}

impl Predictions<f64> {
    /// Takes the mean squared error apart.
    ///
    /// The test point i has the value *yᵢ = fᵢ + εᵢ*, of which `expected[i]` is the expectation
    /// *fᵢ*, and `noise[i]` the variance of *εᵢ*. Over R training sets, with ȳ the mean of the
    /// predictions ŷ,
    ///
    /// *E(y − ŷ)² = var ε + (f − ȳ)² + (1/R) Σ (ŷ − ȳ)²*,
    ///
    /// noise, squared bias and variance (Geman, Bienenstock and Doursat 1992), each a mean over the
    /// points. The three add up to the mean error exactly, rounding aside.
    ///
    /// Where only single noisy targets are known, give them as `expected` with a noise of 0: what
    /// is called squared bias then holds the noise too.
    ///
    /// # Example
    ///
    /// A straight line and a polynomial of degree 8 through 12 noisy values of a sine: the line is
    /// off in the same way each time, the polynomial in another way each time.
    ///
    /// ```
    /// use kiln::burn::tensor::{Distribution, Tensor};
    /// use kiln::diagnose::{BiasVariance, DiagnoseError, Predictions};
    /// use nalgebra::{DMatrix, DVector};
    ///
    /// let x: Vec<f64> = (0..12).map(|i| f64::from(i) / 11.0).collect();
    /// let sine: Vec<f64> = x.iter().map(|x| (6.28 * x).sin()).collect();
    /// let device = kiln::device::default_device()?;
    /// device.seed(1);
    /// let parts = |degree: usize| -> Result<BiasVariance, DiagnoseError> {
    ///     let design = DMatrix::from_fn(12, degree + 1, |i, k| x[i].powi(k as i32));
    ///     let fit = &design * design.clone().pseudo_inverse(1e-12).unwrap();
    ///     let predictions = Predictions::over(200, |_| {
    ///         let noise = Tensor::<1>::random([12], Distribution::Normal(0.0, 0.3), &device);
    ///         let noise: Vec<f64> = noise.into_data().iter().collect();
    ///         let values = DVector::from_iterator(12, sine.iter().zip(noise).map(|(y, e)| y + e));
    ///         Ok::<_, DiagnoseError>((&fit * values).iter().copied().collect())
    ///     })?;
    ///     predictions.squared_error(&sine, &[0.09; 12])
    /// };
    /// let (line, polynomial) = (parts(1)?, parts(8)?);
    /// assert!(line.plain.squared_bias > 4.0 * line.plain.variance);
    /// assert!(polynomial.plain.variance > 4.0 * polynomial.plain.squared_bias);
    /// assert!((line.plain.sum() / line.error - 1.0).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Lists that are not as long as there are test points, a number that is not finite, or a noise
    /// below 0.
    pub fn squared_error(
        &self,
        expected: &[f64],
        noise: &[f64],
    ) -> Result<BiasVariance, DiagnoseError> {
        let points = self.points();
        length(|| "the expected values".into(), points, expected.len())?;
        length(|| "the variances of the noise".into(), points, noise.len())?;
        finite(|| "the expected value".into(), expected)?;
        finite(|| "the variance of the noise".into(), noise)?;
        for (repeat, row) in self.rows.iter().enumerate() {
            finite(|| format!("the prediction of training set {repeat}"), row)?;
        }
        if let Some(found) = noise.iter().find(|variance| **variance < 0.0) {
            return Err(DiagnoseError::Argument {
                name: "noise",
                found: found.to_string(),
                expected: "a variance, at least 0",
            });
        }
        let count = self.rows.len() as f64;
        let (mut plain, mut unbiased) = (Parts::default(), Parts::default());
        // The unbiased parts without each of the repeats, for the jackknife.
        let mut without = vec![Parts::default(); self.rows.len()];
        let mut error = 0.0;
        for point in 0..points {
            let column = || self.rows.iter().map(|row| row[point]);
            let (f, noise) = (expected[point], noise[point]);
            let mean = column().sum::<f64>() / count;
            let squares: f64 = column().map(|y| (y - mean).powi(2)).sum();
            error += noise + column().map(|y| (f - y).powi(2)).sum::<f64>() / count;
            plain.add(noise, (f - mean).powi(2), squares / count);
            let apart = |count: f64, mean: f64, squares: f64| {
                let variance = squares / (count - 1.0);
                [(f - mean).powi(2) - variance / count, variance]
            };
            let [bias, variance] = apart(count, mean, squares);
            unbiased.add(noise, bias, variance);
            for (without, y) in without.iter_mut().zip(column()) {
                let rest = count - 1.0;
                let moved = (y - mean) / rest;
                let [bias, variance] =
                    apart(rest, mean - moved, squares - moved * (y - mean) * count);
                without.add(noise, bias, variance);
            }
        }
        let points = points as f64;
        for parts in without.iter_mut().chain([&mut plain, &mut unbiased]) {
            parts.divide(points);
        }
        let jackknife = |part: fn(&Parts) -> f64| {
            let mean = without.iter().map(part).sum::<f64>() / count;
            let squares: f64 = without.iter().map(|one| (part(one) - mean).powi(2)).sum();
            ((count - 1.0) / count * squares).sqrt()
        };
        Ok(BiasVariance {
            repeats: self.rows.len(),
            points: self.points(),
            error: error / points,
            plain,
            unbiased: (self.rows.len() > 1).then_some(unbiased),
            standard_error: (self.rows.len() > 2).then(|| Parts {
                noise: 0.0,
                squared_bias: jackknife(|parts| parts.squared_bias),
                variance: jackknife(|parts| parts.variance),
            }),
        })
    }
}

/// Noise, squared bias and variance, each a mean over the test points, in the squared unit of the
/// values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// The error of the best prediction: no model is below it.
    pub noise: f64,
    /// How far the mean prediction is off.
    pub squared_bias: f64,
    /// How much the predictions differ from one training set to another.
    pub variance: f64,
}

impl Parts {
    /// The expected error.
    pub fn sum(&self) -> f64 {
        self.noise + self.squared_bias + self.variance
    }

    fn add(&mut self, noise: f64, squared_bias: f64, variance: f64) {
        self.noise += noise;
        self.squared_bias += squared_bias;
        self.variance += variance;
    }

    fn divide(&mut self, by: f64) {
        self.noise /= by;
        self.squared_bias /= by;
        self.variance /= by;
    }
}

/// What [`Predictions::squared_error`] found. `Display` writes a table, serde JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BiasVariance {
    /// The number of training sets.
    pub repeats: usize,
    /// The number of test points.
    pub points: usize,
    /// The mean squared error over training sets and points, noise included.
    pub error: f64,
    /// The parts with the variance over R, which add up to the error: of these R training sets.
    pub plain: Parts,
    /// The estimates without bias for training sets of any number, which add up to the error too:
    /// *s² = Σ (ŷ − ȳ)² / (R − 1)* and *(f − ȳ)² − s²/R*, which may be below 0. `None` for one
    /// training set.
    pub unbiased: Option<Parts>,
    /// The standard errors of the unbiased estimates over the training sets, by the jackknife. `None`
    /// for fewer than three.
    pub standard_error: Option<Parts>,
}

impl fmt::Display for BiasVariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BiasVariance {
            repeats,
            points,
            error,
            ..
        } = self;
        let parts = self.unbiased.unwrap_or(self.plain);
        let errors = self.standard_error;
        write!(
            f,
            "expected squared error {} over {repeats} training sets and {points} points",
            short(*error)
        )?;
        let mut line = |name: &str, part: f64, error: Option<f64>| {
            let error = error.map(|error| format!(" ± {}", short(error)));
            write!(
                f,
                "\n{name:13}{:>10}{}",
                short(part),
                error.unwrap_or_default()
            )
        };
        line("noise", parts.noise, None)?;
        line(
            "squared bias",
            parts.squared_bias,
            errors.map(|parts| parts.squared_bias),
        )?;
        line(
            "variance",
            parts.variance,
            errors.map(|parts| parts.variance),
        )
    }
}

pub(super) fn length(
    what: impl Fn() -> String,
    expected: usize,
    found: usize,
) -> Result<(), DiagnoseError> {
    match expected == found {
        true => Ok(()),
        false => Err(DiagnoseError::Length {
            what: what(),
            expected,
            found,
        }),
    }
}

fn finite(what: impl Fn() -> String, values: &[f64]) -> Result<(), DiagnoseError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(point) => Err(DiagnoseError::NonFinite {
            what: what(),
            point,
            value: values[point],
        }),
    }
}
