//! Sharpness in a ball: SAM's, and ASAM's, whose ball has the shape of the weights.

use burn::tensor::Tensor;

use super::neighbourhood::{Maximum, Neighbourhood, Shape, some_steps};
use crate::flatness::error::positive;
use crate::flatness::{FlatnessError, Objective};

/// The steps of the ascent, unless said.
const STEPS: usize = 20;

/// Sharpness in a ball, as [`SamSharpness`] and [`AsamSharpness`] measure it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BallSharpness {
    /// The rise of the loss, in its units.
    pub sharpness: f64,
    /// The ball's radius: in units of the weights, or beside them.
    pub rho: f64,
    /// The largest loss, and how it was looked for.
    pub maximum: Maximum,
}

/// The sharpness that SAM descends on (Foret, Kleiner, Mobahi and Neyshabur 2021):
/// `max L(w + e) - L(w)` over the ball `|e| <= ρ`, in units of the loss.
///
/// In [one step](Self::one_step), `e = ρ g / |g|` with the gradient g, as in training; it is 0
/// where the gradient is, and below 0 where the step goes too far. Or
/// [maximised](Self::maximised), by [projected gradient ascent](super::Maximiser::ProjectedAscent)
/// of 20 steps unless said, which finds a local maximum and never less than the one step. At a
/// minimum with the Hessian H it is about `ρ² λ_max(H) / 2`.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{Objective, SamSharpness};
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
/// let one_step = SamSharpness::one_step().run(&objective)?;
/// let maximised = SamSharpness::maximised().run(&objective)?;
/// assert!(maximised.sharpness >= one_step.sharpness);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, serde::Serialize)]
pub struct SamSharpness {
    rho: f64,
    /// None for one step.
    steps: Option<usize>,
    seed: u64,
}

/// The adaptive sharpness that ASAM descends on (Kwon, Kim, Park and Choi 2021):
/// `max L(w + e) - L(w)` over `|T⁻¹ e| <= ρ` with `T = |w| + η`, in units of the loss.
///
/// As in [training](crate::optim::Sharpness::Asam), T is 1 for biases, and for the shifts of
/// normalisations. With an η of 0, it stays as it is where the weights of one layer are multiplied
/// and those of the next divided by the same positive factor, as long as the network computes the
/// same: between layers with a `relu` and no bias. The [Hessian](Objective::hessian) and
/// [SAM's](SamSharpness) sharpness change.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{AsamSharpness, Objective};
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
/// let adaptive = AsamSharpness::one_step().rho(0.5).eta(0.0).run(&objective)?;
/// println!("{}", adaptive.sharpness);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, serde::Serialize)]
pub struct AsamSharpness {
    ball: SamSharpness,
    pub(in crate::flatness) eta: f64,
}

impl SamSharpness {
    /// After the one step of SAM, with its ρ of 0.05.
    pub fn one_step() -> Self {
        SamSharpness {
            rho: 0.05,
            steps: None,
            seed: 0,
        }
    }

    /// The largest in the ball, with SAM's ρ of 0.05.
    pub fn maximised() -> Self {
        SamSharpness {
            steps: Some(STEPS),
            ..Self::one_step()
        }
    }

    /// The ball's radius ρ, in units of the weights; 0.05 by default.
    pub fn rho(self, rho: f64) -> Self {
        SamSharpness { rho, ..self }
    }

    /// The steps of an ascent, instead of one step; 20 by default.
    pub fn steps(self, steps: usize) -> Self {
        SamSharpness {
            steps: Some(steps),
            ..self
        }
    }

    /// The seed of an ascent's first step where the gradient is zero; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        SamSharpness { seed, ..self }
    }

    /// Measures the sharpness. An interruption leaves the largest loss until then, marked so.
    ///
    /// # Errors
    ///
    /// A ρ that is not positive, no steps; an error of the data, or a loss or a gradient that is
    /// not finite.
    pub fn run(&self, objective: &Objective<'_>) -> Result<BallSharpness, FlatnessError> {
        self.within(objective, objective.weights().ones_like())
    }

    fn within(
        &self,
        objective: &Objective<'_>,
        sizes: Tensor<1>,
    ) -> Result<BallSharpness, FlatnessError> {
        positive("rho", self.rho)?;
        let neighbourhood = Neighbourhood {
            shape: Shape::Ball,
            half_widths: sizes * self.rho,
            frame: None,
        };
        let maximum = match self.steps {
            Some(steps) => {
                some_steps(steps)?;
                neighbourhood.ascend(objective, steps, self.seed)?
            }
            None => neighbourhood.one_step(objective)?,
        };
        Ok(BallSharpness {
            sharpness: maximum.value - maximum.start,
            rho: self.rho,
            maximum,
        })
    }
}

impl AsamSharpness {
    /// After the one step of ASAM, with its ρ of 0.5 and its η of 0.01.
    pub fn one_step() -> Self {
        AsamSharpness {
            ball: SamSharpness::one_step().rho(0.5),
            eta: 0.01,
        }
    }

    /// The largest in the ball, with ASAM's ρ of 0.5 and its η of 0.01.
    pub fn maximised() -> Self {
        AsamSharpness {
            ball: SamSharpness::maximised().rho(0.5),
            eta: 0.01,
        }
    }

    /// The ball's radius ρ, beside the weights; 0.5 by default.
    pub fn rho(self, rho: f64) -> Self {
        AsamSharpness {
            ball: self.ball.rho(rho),
            ..self
        }
    }

    /// What is added to the size of a weight, so that one of zero moves; 0.01 by default.
    pub fn eta(self, eta: f64) -> Self {
        AsamSharpness { eta, ..self }
    }

    /// The steps of an ascent, instead of one step; 20 by default.
    pub fn steps(self, steps: usize) -> Self {
        AsamSharpness {
            ball: self.ball.steps(steps),
            ..self
        }
    }

    /// The seed of an ascent's first step where the gradient is zero; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        AsamSharpness {
            ball: self.ball.seed(seed),
            ..self
        }
    }

    /// Measures the sharpness. An interruption leaves the largest loss until then, marked so.
    ///
    /// # Errors
    ///
    /// As for [`SamSharpness::run`], and an η that is negative or not finite.
    pub fn run(&self, objective: &Objective<'_>) -> Result<BallSharpness, FlatnessError> {
        if !(self.eta >= 0.0 && self.eta.is_finite()) {
            let expected = "0 or positive, and finite";
            return Err(FlatnessError::argument("eta", self.eta, expected));
        }
        let weights = objective.weights();
        let sizes = objective.parameters().into_iter().zip(objective.shifts());
        let sizes = sizes.map(|(slice, shift)| {
            let range = slice.range;
            let part = weights.clone().narrow(0, range.start, range.len());
            match shift {
                true => part.ones_like(),
                false => part.abs() + self.eta,
            }
        });
        self.ball.within(objective, Tensor::cat(sizes.collect(), 0))
    }
}
