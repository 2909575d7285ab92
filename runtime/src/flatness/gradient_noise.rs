//! How noisy a mini-batch's gradient is: the noise scale, and the batch size that it suggests.

use burn::tensor::Tensor;

use super::spectrum::{Mean, dot};
use super::{FlatnessError, Objective, Random};

/// The simple noise scale of McCandlish, Kaplan, Amodei et al. (2018),
/// B_simple = tr Σ / |G|²: G is the gradient of the loss over the data set, and Σ the covariance of
/// its examples' gradients. It is in examples: a batch of that size has a gradient whose noise is as
/// long as the gradient itself.
///
/// Each draw takes `big` different examples and the gradients of all their parts of `small`. From
/// |G_B|² of the whole and the mean |G_b|² of the parts, as in the paper's appendix A.1,
///
/// - tr Σ ≈ (|G_b|² - |G_B|²) / (1/b - 1/B),
/// - |G|² ≈ (B |G_B|² - b |G_b|²) / (B - b) + tr Σ / N,
///
/// and the noise scale is the ratio of their means over the draws, not the mean of ratios. The last
/// term is the correction for a finite population: examples are drawn without replacement from the
/// N of the data set, so |G_B|² is |G|² + tr Σ (1/B - 1/N) in the mean. Without it, |G|² would be
/// that of the distribution that the data set is a sample of. With tr Σ = Σ_i |∇l_i - G|² / (N - 1),
/// numerator and denominator are without bias.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{GradientNoise, Objective};
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
/// let noise = GradientNoise::new().small(8).big(64).draws(10).run(&objective)?;
/// println!("{:?} ± {}", noise.noise_scale, noise.noise_scale_error);
/// assert!(noise.suggested_batch().is_some());
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradientNoise {
    small: usize,
    big: usize,
    draws: usize,
    seed: u64,
}

/// An estimated noise scale. The errors are standard errors over the draws, infinite for one draw.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NoiseScale {
    /// tr Σ / |G|², in examples; `None` where the estimate of |G|² is not positive: the gradient is
    /// too small to be seen in the noise, and more draws or a larger `big` may show it.
    pub noise_scale: Option<f64>,
    /// Its standard error, by the ratio's derivatives.
    pub noise_scale_error: f64,
    /// tr Σ, the sum of the variances of an example's gradient.
    pub trace: f64,
    /// Its standard error.
    pub trace_error: f64,
    /// |G|², the squared length of the gradient over the data set; it may come out negative.
    pub gradient_squared: f64,
    /// Its standard error.
    pub gradient_squared_error: f64,
    /// The draws it is the mean of.
    pub draws: usize,
    /// Whether there were as many draws as asked for.
    pub complete: bool,
}

impl Default for GradientNoise {
    fn default() -> Self {
        GradientNoise {
            small: 16,
            big: 256,
            draws: 20,
            seed: 0,
        }
    }
}

impl GradientNoise {
    /// 20 draws of 256 examples in parts of 16.
    pub fn new() -> Self {
        Self::default()
    }

    /// The examples of a small batch, b; 16 by default.
    pub fn small(self, small: usize) -> Self {
        GradientNoise { small, ..self }
    }

    /// The examples of a big batch, B, a multiple of b; 256 by default. The estimate of |G|² is
    /// the better the larger it is.
    pub fn big(self, big: usize) -> Self {
        GradientNoise { big, ..self }
    }

    /// How many big batches are drawn; 20 by default.
    pub fn draws(self, draws: usize) -> Self {
        GradientNoise { draws, ..self }
    }

    /// The seed of the draws; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        GradientNoise { seed, ..self }
    }

    /// Estimates the noise scale. An interruption leaves the estimate of the draws until then,
    /// marked so.
    ///
    /// # Errors
    ///
    /// A small batch of zero, a big one that is no multiple of it, not larger or more than the data
    /// set, no draws; an objective whose examples cannot be drawn
    /// ([`plain`](Objective::plain)) or see each other
    /// ([`with_batch_statistics`](Objective::with_batch_statistics)); an error of the data, a
    /// gradient that is not finite, an interruption before the first draw is done.
    pub fn run(&self, objective: &Objective) -> Result<NoiseScale, FlatnessError> {
        self.check(objective)?;
        let parts = self.big / self.small;
        let mut task = objective
            .watch()
            .task("gradient noise", self.draws.saturating_mul(parts));
        let mut random = Random::new(self.seed);
        let (mut draws, mut on) = (Vec::new(), true);
        'draws: while on && draws.len() < self.draws {
            let chosen = random.distinct(self.big, objective.examples());
            // Welford's recurrence: the parts' differences are not lost in the length of their
            // mean.
            let (mut mean, mut squares) = (None::<Tensor<1>>, 0.0);
            for (part, examples) in chosen.chunks(self.small).enumerate() {
                if !on {
                    break 'draws;
                }
                let (_, gradient) = objective.part(examples.iter().copied())?;
                mean = Some(match mean {
                    None => gradient,
                    Some(mean) => {
                        let (rank, before) = ((part + 1) as f64, gradient - mean.clone());
                        squares += dot(&before, &before) * (rank - 1.0) / rank;
                        mean + before / rank
                    }
                });
                on = task.step();
            }
            let trace = self.small as f64 * squares / (parts - 1) as f64;
            let rest = 1.0 / self.big as f64 - 1.0 / objective.examples() as f64;
            let length = mean.as_ref().map_or(0.0, |mean| dot(mean, mean));
            if !(trace.is_finite() && length.is_finite()) {
                let what = "the gradient of a mini-batch".into();
                return Err(FlatnessError::NonFinite { what });
            }
            draws.push((trace, length - trace * rest));
        }
        if draws.is_empty() {
            return Err(FlatnessError::Interrupted);
        }
        let traces = Mean::of(draws.iter().map(|(trace, _)| *trace));
        let lengths = Mean::of(draws.iter().map(|(_, length)| *length));
        let (trace, gradient_squared) = (traces.mean, lengths.mean);
        let noise_scale = (gradient_squared > 0.0).then(|| trace / gradient_squared);
        let noise_scale_error = noise_scale.map_or(f64::INFINITY, |scale| {
            let rests = draws.iter().map(|(trace, length)| trace - scale * length);
            Mean::of(rests).standard_error() / gradient_squared
        });
        Ok(NoiseScale {
            noise_scale,
            noise_scale_error,
            trace,
            trace_error: traces.standard_error(),
            gradient_squared,
            gradient_squared_error: lengths.standard_error(),
            draws: draws.len(),
            complete: draws.len() == self.draws,
        })
    }

    fn check(&self, objective: &Objective) -> Result<(), FlatnessError> {
        separate(objective)?;
        let examples = objective.examples();
        if self.small == 0 || self.small >= examples {
            let expected = format!("between 1 and {}, fewer than there are", examples - 1);
            return Err(FlatnessError::argument("small", self.small, expected));
        }
        let multiple = self.big.is_multiple_of(self.small) && self.big > self.small;
        if !multiple || self.big > examples {
            let expected = format!(
                "a multiple of `small`, {}, larger than it, and at most {examples}, the examples \
                 that there are",
                self.small
            );
            return Err(FlatnessError::argument("big", self.big, expected));
        }
        if self.draws == 0 {
            return Err(FlatnessError::argument("draws", 0, "at least 1"));
        }
        Ok(())
    }
}

impl NoiseScale {
    /// The noise scale as a batch size, at least 1. There the time and the computation that a
    /// training takes are balanced: it needs about twice the steps that it would with endless batches, and
    /// about twice the examples that it would with the smallest. Smaller batches save computation,
    /// larger ones time (McCandlish et al. 2018, section 2.3: (S/S_min - 1)(E/E_min - 1) = 1). The
    /// noise scale grows while a network trains, often by more than a factor of ten.
    pub fn suggested_batch(&self) -> Option<usize> {
        self.noise_scale
            .map(|scale| scale.round().max(1.0) as usize)
    }

    /// How many times the fewest possible steps a training with batches of `batch` takes,
    /// 1 + B_simple/B.
    pub fn steps(&self, batch: usize) -> Option<f64> {
        self.noise_scale.map(|scale| 1.0 + scale / batch as f64)
    }

    /// How many times the fewest possible examples it takes, 1 + B/B_simple.
    pub fn examples(&self, batch: usize) -> Option<f64> {
        self.noise_scale.map(|scale| 1.0 + batch as f64 / scale)
    }
}

/// Refuses examples that have no gradients of their own.
pub(super) fn separate(objective: &Objective) -> Result<(), FlatnessError> {
    if objective.mixes_examples() {
        return Err(FlatnessError::argument(
            "objective",
            "one with the statistics of a batch, through which examples see each other",
            "one whose examples have gradients of their own",
        ));
    }
    Ok(())
}
