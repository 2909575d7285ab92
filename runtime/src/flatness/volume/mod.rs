//! The volume of the basin around a minimum.

mod logarithms;

use burn::tensor::Tensor;

use self::logarithms::{jackknife, largest_share, log_mean_exp, log_unit_ball};
use super::error::positive;
use super::spectrum::{Mean, norm};
use super::{FlatnessError, Objective, Random, filters};

/// The first radius that is looked at, in root mean squares of units of length.
const FIRST: f64 = 0.01;
/// The ratio of two radii that follow one another until the cutoff is between them.
const STEP: f64 = std::f64::consts::SQRT_2;

/// The volume of the basin that the weights lie in, the points from which the loss stays under a
/// cutoff on the way to them, after Huang et al. (2019), "Understanding generalization through
/// visualizations":
///
/// ```text
/// volume = V_n E[r(θ)ⁿ],   V_n = π^(n/2) / Γ(n/2 + 1),
/// ```
///
/// with the radius r(θ) at which the loss reaches the cutoff in a direction θ that is uniform on
/// the sphere, and the volume V_n of the unit ball. It is given as a logarithm: n is a network's
/// number of weights.
///
/// Lengths are measured in units of the weights' filters, unless [`euclidean`](Self::euclidean)
/// says otherwise: each weight in units of the root mean square of its filter, what makes one
/// output of a layer. So the volume does not depend on how large a layer is whose outputs are
/// normalised. Biases and the scales of normalisations stay as they are, as in the
/// filter-normalised directions of Li et al. (2018). Those, which Huang et al. take, have each
/// filter's length exactly, and are uniform on no sphere; these have it on average, so that the
/// formula holds.
///
/// In many dimensions, `E[rⁿ]` is a mean that its largest term rules: the sample's longest radius
/// decides, the mean is too small for any number of directions that can be had, and the error that
/// the sample shows is too small as well. [`BasinVolume`] therefore says the share of the largest
/// term, and the mean of log r, which few directions tell well, with its error. Compare networks
/// of one architecture by that.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{Objective, Volume};
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
/// let volume = Volume::new().rise(0.5).directions(5).tolerance(0.01).run(&objective)?;
/// println!(
///     "log volume {} ± {}, mean log radius {} ± {}",
///     volume.log_volume, volume.standard_error,
///     volume.mean_log_radius, volume.mean_log_radius_error,
/// );
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, serde::Serialize)]
pub struct Volume {
    pub(super) cutoff: Cutoff,
    euclidean: bool,
    directions: usize,
    largest: f64,
    tolerance: f64,
    seed: u64,
}

/// The loss that bounds a basin.
#[derive(Clone, Copy, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cutoff {
    Rise(f64),
    Loss(f64),
}

/// The volume of a basin, as [`Volume`] estimates it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BasinVolume {
    /// The natural logarithm of the volume, in n-th powers of the unit of length.
    pub log_volume: f64,
    /// The jackknife's standard error of it over the directions. Where
    /// [`largest_share`](Self::largest_share) is near 1, the truth may be many of them above.
    pub standard_error: f64,
    /// The log-volume over the dimension.
    pub log_volume_per_dimension: f64,
    /// The share of the longest radius in the sum of rⁿ: with 1 over the number of directions all
    /// count alike, with 1 a single one makes the volume.
    pub largest_share: f64,
    /// The mean of log r over the directions.
    pub mean_log_radius: f64,
    /// The standard error of that.
    pub mean_log_radius_error: f64,
    /// The radii, in units of length; where the cutoff was not reached, the largest radius.
    pub radii: Vec<f64>,
    /// How many directions do not reach the cutoff up to the largest radius. The volume is that of
    /// the basin inside the ball of that radius.
    pub unbounded: usize,
    /// The largest radius that was looked at.
    pub largest_radius: f64,
    /// n, the number of weights that move.
    pub dimension: usize,
    /// Whether weights are measured in their own units, and not in those of their filters.
    pub euclidean: bool,
    /// The loss at the weights.
    pub start: f64,
    /// The loss that bounds the basin.
    pub cutoff: f64,
    /// The relative error of a radius.
    pub tolerance: f64,
    /// The losses that it took.
    pub losses: usize,
    /// Whether all directions that were asked for are in it.
    pub complete: bool,
}

impl Default for Volume {
    fn default() -> Self {
        Volume {
            cutoff: Cutoff::Rise(0.1),
            euclidean: false,
            directions: 50,
            largest: 1000.0,
            tolerance: 1e-3,
            seed: 0,
        }
    }
}

impl Volume {
    /// 50 directions up to a loss of 0.1 more, in units of the filters.
    pub fn new() -> Self {
        Self::default()
    }

    /// The basin ends where the loss has risen by so much; 0.1 by default.
    pub fn rise(self, rise: f64) -> Self {
        Volume {
            cutoff: Cutoff::Rise(rise),
            ..self
        }
    }

    /// The basin ends at this loss, so that networks trained to different losses share a cutoff.
    pub fn cutoff(self, loss: f64) -> Self {
        Volume {
            cutoff: Cutoff::Loss(loss),
            ..self
        }
    }

    /// Measures all weights in their own units, biases too.
    pub fn euclidean(self) -> Self {
        Volume {
            euclidean: true,
            ..self
        }
    }

    /// How many directions; 50 by default.
    pub fn directions(self, directions: usize) -> Self {
        Volume { directions, ..self }
    }

    /// How far a direction is followed: the root mean square of the steps of the weights, in units
    /// of length; 1,000 by default.
    pub fn largest(self, largest: f64) -> Self {
        Volume { largest, ..self }
    }

    /// The relative error of a radius; 1e-3 by default.
    pub fn tolerance(self, tolerance: f64) -> Self {
        Volume { tolerance, ..self }
    }

    /// The seed of the directions; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Volume { seed, ..self }
    }

    /// Estimates the volume. A direction is searched from inside: from steps of a root mean square of
    /// 0.01 units of length, each radius √2 times the one before, until the loss is above the cutoff,
    /// and then between the last two (regula falsi, in logarithms). So the first crossing is found of
    /// all that lie beyond 0.01, but for a barrier whose far side is less than √2 times as far away as
    /// its near side, which may be passed over. Where the loss is above the cutoff at 0.01 already, the
    /// radii go inwards instead, to the first below it. A loss that is not finite is above the cutoff.
    ///
    /// An interruption leaves what the directions until then say, marked so.
    ///
    /// # Errors
    ///
    /// A cutoff that is not above the loss, fewer than two directions, a tolerance outside of 0 to
    /// 1, a largest radius that is not positive, parameters without filters; an error of the data,
    /// or a loss at the weights that is not finite; an interruption before the second direction.
    pub fn run(&self, objective: &Objective<'_>) -> Result<BasinVolume, FlatnessError> {
        positive("largest", self.largest)?;
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            let expected = "above 0 and below 1";
            return Err(FlatnessError::argument(
                "tolerance",
                self.tolerance,
                expected,
            ));
        }
        if self.directions < 2 {
            let expected = "at least 2, for an error";
            return Err(FlatnessError::argument(
                "directions",
                self.directions,
                expected,
            ));
        }
        let start = objective.loss()?;
        let cutoff = match self.cutoff {
            Cutoff::Rise(rise) => start + rise,
            Cutoff::Loss(loss) => loss,
        };
        if !(cutoff > start && cutoff.is_finite()) {
            let expected = format!("above {start}, the loss at the weights, and finite");
            return Err(FlatnessError::argument("cutoff", cutoff, expected));
        }
        let weights = objective.weights();
        let units = match self.euclidean {
            true => weights.ones_like(),
            false => filters::sizes(objective)?,
        };
        let moved = units.clone().sign();
        let dimension = moved.to_data().iter::<f64>().sum::<f64>() as usize;
        if dimension == 0 {
            let expected = "of filters that are not all zero; or else ask for `euclidean`";
            return Err(FlatnessError::argument("weights", 0, expected));
        }
        let mut task = objective.watch().task("volume", self.directions);
        let mut random = Random::new(self.seed);
        let root = (dimension as f64).sqrt();
        let mut search = Search {
            objective,
            weights: weights.clone(),
            start,
            cutoff,
            tolerance: self.tolerance,
            first: FIRST.min(self.largest) * root,
            largest: self.largest * root,
            losses: 1,
        };
        let (mut radii, mut unbounded) = (Vec::new(), 0);
        while radii.len() < self.directions {
            let direction = random.normal(&weights) * moved.clone();
            let direction = direction.clone() / norm(&direction) * units.clone();
            let radius = search.radius(&direction)?;
            unbounded += usize::from(radius.is_none());
            radii.push(radius.unwrap_or(search.largest));
            if !task.step() {
                break;
            }
        }
        if radii.len() < 2 {
            return Err(FlatnessError::Interrupted);
        }
        let powers: Vec<f64> = radii.iter().map(|r| r.ln() * dimension as f64).collect();
        let mean = Mean::of(radii.iter().map(|radius| radius.ln()));
        let log_volume = log_unit_ball(dimension) + log_mean_exp(&powers);
        Ok(BasinVolume {
            log_volume,
            standard_error: jackknife(&powers),
            log_volume_per_dimension: log_volume / dimension as f64,
            largest_share: largest_share(&powers),
            mean_log_radius: mean.mean,
            mean_log_radius_error: mean.standard_error(),
            complete: radii.len() == self.directions,
            radii,
            unbounded,
            largest_radius: search.largest,
            dimension,
            euclidean: self.euclidean,
            start,
            cutoff,
            tolerance: self.tolerance,
            losses: search.losses,
        })
    }
}

/// Finds where the loss first reaches the cutoff. It remembers nothing of other directions, so that a
/// radius is a property of its direction.
struct Search<'a, 'b> {
    objective: &'a Objective<'b>,
    weights: Tensor<1>,
    start: f64,
    cutoff: f64,
    tolerance: f64,
    first: f64,
    largest: f64,
    losses: usize,
}

/// A point of a direction, and the logarithm of its share of the rise to the cutoff: below 0 inside,
/// and where the loss is quadratic a straight line over the radius' logarithm.
#[derive(Clone, Copy)]
struct Point {
    radius: f64,
    rise: f64,
}

impl Search<'_, '_> {
    /// Nothing where the loss stays below the cutoff up to the largest radius.
    fn radius(&mut self, direction: &Tensor<1>) -> Result<Option<f64>, FlatnessError> {
        let mut high = self.point(direction, self.first)?;
        let mut low = high;
        while low.rise >= 0.0 {
            high = low;
            low = self.point(direction, high.radius / STEP)?;
        }
        while high.rise < 0.0 {
            if high.radius >= self.largest {
                return Ok(None);
            }
            low = high;
            high = self.point(direction, (STEP * low.radius).min(self.largest))?;
        }
        let mut halve = false;
        while high.radius - low.radius > self.tolerance * low.radius {
            let middle = 0.5 * (low.radius + high.radius);
            // Neighbouring numbers.
            if middle <= low.radius || middle >= high.radius {
                break;
            }
            let guess = self.guess(low, high);
            let between = low.radius < guess && guess < high.radius;
            let at = match between && high.rise.is_finite() && !halve {
                true => guess,
                false => middle,
            };
            let point = self.point(direction, at)?;
            let width = high.radius - low.radius;
            match point.rise >= 0.0 {
                true => high = point,
                false => low = point,
            }
            // Then the line was wrong.
            halve = high.radius - low.radius > 0.6 * width;
        }
        Ok(Some(0.5 * (low.radius + high.radius)))
    }

    /// A little beyond the crossing that the straight line through two points shows, seen from the
    /// nearer one: where the line is right, the longer side of the bracket goes.
    fn guess(&self, low: Point, high: Point) -> f64 {
        let share = low.rise / (low.rise - high.rise);
        let crossing = low.radius * (high.radius / low.radius).powf(share);
        match crossing - low.radius < high.radius - crossing {
            true => crossing * (1.0 + 0.4 * self.tolerance),
            false => crossing * (1.0 - 0.4 * self.tolerance),
        }
    }

    fn point(&mut self, direction: &Tensor<1>, radius: f64) -> Result<Point, FlatnessError> {
        self.losses += 1;
        let there = self.weights.clone() + direction.clone() * radius;
        let loss = match self.objective.at(there)?.loss() {
            Ok(loss) => loss,
            Err(FlatnessError::NonFinite { .. }) => f64::INFINITY,
            Err(error) => return Err(error),
        };
        let rise = (loss - self.start).max(0.0) / (self.cutoff - self.start);
        let rise = rise.ln();
        Ok(Point { radius, rise })
    }
}
