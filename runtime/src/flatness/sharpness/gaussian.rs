//! Sharpness on average.

use crate::flatness::error::positive;
use crate::flatness::spectrum::Mean;
use crate::flatness::{FlatnessError, Objective, Random, filters};

/// How far the loss rises on average under random steps of the weights: `E[L(w + σ z)] - L(w)`
/// with z from N(0, 1), in units of the loss, with its standard error.
///
/// At a point with the Hessian H it is about `σ² tr(H) / 2`. It is below 0 where the loss mostly
/// curves downwards. [Relative](Self::relative) steps have the size of the filters that they
/// move.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{GaussianSharpness, Objective};
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
/// let model = NetConfig::new().init(&default_device()?)?;
/// let data = digits()?;
/// let objective = Objective::new(&model, &data)?;
/// let rise = GaussianSharpness::new().sigma(0.1).relative().run(&objective)?;
/// println!("{} ± {:?}", rise.sharpness, rise.standard_error);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, serde::Serialize)]
pub struct GaussianSharpness {
    sigma: f64,
    relative: bool,
    draws: usize,
    seed: u64,
}

/// Sharpness on average, as [`GaussianSharpness`] estimates it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GaussianEstimate {
    /// The mean rise of the loss, in its units.
    pub sharpness: f64,
    /// The standard error of the mean over the draws; nothing for a single one.
    pub standard_error: Option<f64>,
    /// σ.
    pub sigma: f64,
    /// Whether σ is beside the root mean square of each filter.
    pub relative: bool,
    /// The loss at the weights.
    pub start: f64,
    /// The draws it is the mean of.
    pub draws: usize,
    /// Whether those are all that were asked for.
    pub complete: bool,
}

impl Default for GaussianSharpness {
    fn default() -> Self {
        GaussianSharpness {
            sigma: 0.01,
            relative: false,
            draws: 30,
            seed: 0,
        }
    }
}

impl GaussianSharpness {
    /// A σ of 0.01 in units of the weights, and 30 draws.
    pub fn new() -> Self {
        Self::default()
    }

    /// The standard deviation σ of a step; 0.01 by default.
    pub fn sigma(self, sigma: f64) -> Self {
        GaussianSharpness { sigma, ..self }
    }

    /// Takes σ beside the root mean square of the weights of each filter, what makes one output
    /// of a layer; biases and the scales of normalisations stay as they are.
    pub fn relative(self) -> Self {
        GaussianSharpness {
            relative: true,
            ..self
        }
    }

    /// How many steps are drawn; 30 by default.
    pub fn draws(self, draws: usize) -> Self {
        GaussianSharpness { draws, ..self }
    }

    /// The seed of the steps; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        GaussianSharpness { seed, ..self }
    }

    /// Estimates the rise. An interruption leaves the mean of the draws until then, marked so.
    ///
    /// # Errors
    ///
    /// A σ that is not positive, no draws, relative steps of parameters without filters; an error
    /// of the data, or a loss that is not finite.
    pub fn run(&self, objective: &Objective<'_>) -> Result<GaussianEstimate, FlatnessError> {
        positive("sigma", self.sigma)?;
        if self.draws == 0 {
            return Err(FlatnessError::argument("draws", 0, "at least 1"));
        }
        let weights = objective.weights();
        let sizes = match self.relative {
            true => filters::sizes(objective)?,
            false => weights.ones_like(),
        };
        let sizes = sizes * self.sigma;
        let mut task = objective.watch().task("average sharpness", self.draws);
        let mut random = Random::new(self.seed);
        let start = objective.loss()?;
        let (mut rise, mut draws) = (Mean::default(), 0);
        while draws < self.draws {
            let step = random.normal(&weights) * sizes.clone();
            let loss = objective.at(weights.clone() + step)?.loss()?;
            rise.add(loss - start);
            draws += 1;
            if !task.step() {
                break;
            }
        }
        Ok(GaussianEstimate {
            sharpness: rise.mean,
            standard_error: Some(rise.standard_error()).filter(|error| error.is_finite()),
            sigma: self.sigma,
            relative: self.relative,
            start,
            draws,
            complete: draws == self.draws,
        })
    }
}
