//! How far mini-batches' gradients are from the full one, by batch size.

use std::fmt::Write;

use super::gradient_noise::separate;
use super::spectrum::{Mean, dot, norm};
use super::{FlatnessError, Objective, Random};

/// How far the gradients of mini-batches are from the gradient G over the data set: their variance
/// and their angle, for each of some batch sizes.
///
/// A batch of n different examples of the N has a gradient G_n with the mean G and the variance
/// E |G_n - G|² = tr Σ (1/n - 1/N), with tr Σ = Σ_i |∇l_i - G|² / (N - 1): it falls as 1/n, and a
/// little faster where the batch is a good part of the data set, because examples are drawn
/// without replacement within a batch.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{GradientSpread, Objective};
/// use kiln::prelude::*;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
///
/// let device = default_device()?;
/// let model = NetConfig::new().init(&device)?;
/// let data = digits()?;
/// let objective = Objective::new(&model, &data)?;
/// let spread = GradientSpread::new().sizes([4, 64]).draws(10).run(&objective)?;
/// assert!(spread.batches[0].variance > spread.batches[1].variance);
/// assert!(spread.batches[0].angle > spread.batches[1].angle);
/// println!("{}", spread.to_csv());
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradientSpread {
    sizes: Vec<usize>,
    draws: usize,
    seed: u64,
}

/// How far mini-batches' gradients are from the full one.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// |G|, the length of the gradient over the data set.
    pub gradient_norm: f64,
    /// tr Σ, from the mini-batches of all sizes; `None` where each was the whole data set.
    pub trace: Option<f64>,
    /// One for each batch size, as asked for.
    pub batches: Vec<BatchSpread>,
    /// Whether there were as many draws as asked for.
    pub complete: bool,
}

/// The gradients of mini-batches of one size.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BatchSpread {
    /// The examples of a batch.
    pub size: usize,
    /// How many batches were drawn.
    pub draws: usize,
    /// The mean of |G_n - G|².
    pub variance: f64,
    /// The standard error of it over the draws; infinite for one.
    pub variance_error: f64,
    /// What the law tr Σ (1/n - 1/N) gives, with the tr Σ of all sizes.
    pub expected: f64,
    /// The mean angle between G_n and G, in degrees; `None` where one of them is zero.
    pub angle: Option<f64>,
    /// The standard deviation of the angle over the draws, in degrees.
    pub angle_deviation: Option<f64>,
}

impl Default for GradientSpread {
    fn default() -> Self {
        GradientSpread {
            sizes: vec![1, 4, 16, 64, 256],
            draws: 20,
            seed: 0,
        }
    }
}

impl GradientSpread {
    /// 20 batches of each of 1, 4, 16, 64 and 256 examples.
    pub fn new() -> Self {
        Self::default()
    }

    /// The batch sizes; 1, 4, 16, 64 and 256 by default.
    pub fn sizes(self, sizes: impl IntoIterator<Item = usize>) -> Self {
        GradientSpread {
            sizes: sizes.into_iter().collect(),
            ..self
        }
    }

    /// How many batches of each size are drawn; 20 by default.
    pub fn draws(self, draws: usize) -> Self {
        GradientSpread { draws, ..self }
    }

    /// The seed of the draws; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        GradientSpread { seed, ..self }
    }

    /// Draws the batches, after one pass over the data set for its gradient. An interruption leaves
    /// the batches until then, marked so.
    ///
    /// # Errors
    ///
    /// No size, one of zero or of more than the data set, no draws; an objective whose examples
    /// cannot be drawn ([`plain`](Objective::plain)) or see each other
    /// ([`with_batch_statistics`](Objective::with_batch_statistics)); an error of the data, a
    /// gradient that is not finite.
    pub fn run(&self, objective: &Objective) -> Result<Spread, FlatnessError> {
        separate(objective)?;
        let examples = objective.examples();
        let wrong = self
            .sizes
            .iter()
            .find(|size| !(1..=examples).contains(*size));
        if let Some(size) = wrong {
            let expected = format!("between 1 and {examples}, the examples that there are");
            return Err(FlatnessError::argument("sizes", size, expected));
        }
        for (name, count) in [("sizes", self.sizes.len()), ("draws", self.draws)] {
            if count == 0 {
                return Err(FlatnessError::argument(name, 0, "at least 1"));
            }
        }
        let full = objective.gradient()?;
        let gradient_norm = norm(&full);
        let steps = self.draws.saturating_mul(self.sizes.len());
        let mut task = objective.watch().task("gradients of mini-batches", steps);
        let mut random = Random::new(self.seed);
        let (mut batches, mut traces, mut on) = (Vec::new(), Vec::new(), true);
        for size in self.sizes.iter().copied() {
            let (mut squares, mut angles) = (Vec::new(), Vec::new());
            while on && squares.len() < self.draws {
                let (_, gradient) = objective.part(random.distinct(size, examples))?;
                let length = norm(&gradient);
                let apart = gradient.clone() - full.clone();
                let distance = dot(&apart, &apart);
                if !distance.is_finite() {
                    let what = format!("the gradient of a mini-batch of {size}");
                    return Err(FlatnessError::NonFinite { what });
                }
                squares.push(distance);
                if length > 0.0 && gradient_norm > 0.0 {
                    // Kahan's formula, exact for small angles too.
                    let (own, other) = (gradient / length, full.clone() / gradient_norm);
                    let apart = norm(&(own.clone() - other.clone()));
                    let along = norm(&(own + other));
                    angles.push((2.0 * apart.atan2(along)).to_degrees());
                }
                on = task.step();
            }
            if squares.is_empty() {
                break;
            }
            let law = 1.0 / size as f64 - 1.0 / examples as f64;
            if size < examples {
                traces.extend(squares.iter().map(|square| square / law));
            }
            let draws = squares.len();
            let variance = Mean::of(squares.into_iter());
            let has_angle = angles.len() == draws;
            let angle = Mean::of(angles.into_iter());
            let deviation = angle.standard_error() * (draws as f64).sqrt();
            batches.push(BatchSpread {
                size,
                draws,
                variance: variance.mean,
                variance_error: variance.standard_error(),
                expected: law,
                angle: has_angle.then_some(angle.mean),
                angle_deviation: has_angle.then_some(deviation),
            });
        }
        let trace = (!traces.is_empty()).then(|| Mean::of(traces.into_iter()).mean);
        for batch in &mut batches {
            batch.expected *= trace.unwrap_or(0.0);
        }
        Ok(Spread {
            gradient_norm,
            trace,
            complete: batches.len() == self.sizes.len()
                && batches.iter().all(|batch| batch.draws == self.draws),
            batches,
        })
    }
}

impl Spread {
    /// The batch sizes as a table of values separated by commas, one a line: `size`, `draws`,
    /// `variance`, `variance_error`, `expected`, `angle`, `angle_deviation`. What is not known is
    /// empty.
    pub fn to_csv(&self) -> String {
        let mut csv =
            "size,draws,variance,variance_error,expected,angle,angle_deviation\n".to_owned();
        let known = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for batch in &self.batches {
            // Writing into a string does not fail.
            let _ = writeln!(
                csv,
                "{},{},{},{},{},{},{}",
                batch.size,
                batch.draws,
                batch.variance,
                batch.variance_error,
                batch.expected,
                known(batch.angle),
                known(batch.angle_deviation),
            );
        }
        csv
    }
}
