//! The loss along a line.

use std::fmt::Write;
use std::ops::RangeInclusive;

use burn::module::Module;
use burn::tensor::Tensor;

use super::between::Between;
use super::{cell, finite, measure, spaced};
use crate::flatness::{FlatnessError, Objective, Watch};

/// The loss along a line of parameter space, L(w + α d) at equal steps of α.
///
/// The direction d may be a random one with [filter normalisation](super::FilterNormalisation), an
/// eigenvector, or what lies between two minima ([`between_models`](Self::between_models)). The model
/// does not change.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{Lanczos, Objective, Slice};
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
/// let spectrum = Lanczos::new().run(&objective.hessian())?;
/// let profile = Slice::new().points(11).run(&objective, &spectrum.top[0].vector)?;
/// assert_eq!(profile.alphas[5], 0.0);
/// assert!((profile.losses[5].unwrap() - objective.loss()?).abs() < 1e-5);
/// println!("{}", profile.to_csv());
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Slice {
    range: Option<RangeInclusive<f64>>,
    points: usize,
}

/// The loss at points of a line.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// Where the points lie, in units of the direction.
    pub alphas: Vec<f64>,
    /// The loss at each; `None` where it is not finite, or was not measured any more.
    pub losses: Vec<Option<f64>>,
    /// The share of classes that are right at each, where the loss knows right from wrong and is
    /// finite.
    pub accuracies: Vec<Option<f64>>,
    /// Whether all points were measured.
    pub complete: bool,
}

impl Default for Slice {
    fn default() -> Self {
        Slice {
            range: None,
            points: 51,
        }
    }
}

impl Slice {
    /// 51 points.
    pub fn new() -> Self {
        Self::default()
    }

    /// The values of α; by default -1 to 1, and 0 to 1 between two minima.
    pub fn range(self, range: RangeInclusive<f64>) -> Self {
        Slice {
            range: Some(range),
            ..self
        }
    }

    /// How many points, both ends among them; 51 by default. An odd number has the middle.
    pub fn points(self, points: usize) -> Self {
        Slice { points, ..self }
    }

    /// Measures the loss along `direction` through the objective's weights, α = 0. A loss that is not
    /// finite is a missing point; an interruption leaves the points until then, marked so.
    ///
    /// # Errors
    ///
    /// A direction of another length or that is not finite, an empty range, fewer than two points, an
    /// error of the data.
    pub fn run(
        &self,
        objective: &Objective,
        direction: &Tensor<1>,
    ) -> Result<Profile, FlatnessError> {
        self.line(objective, direction, -1.0..=1.0)
    }

    /// Measures the loss along the straight line from the weights `from`, α = 0, to `to`, α = 1
    /// (Goodfellow, Vinyals and Saxe 2015). Take -1 to 2 for the two minima's surroundings, as
    /// Keskar et al. (2017) do.
    ///
    /// Only what training moves goes along. The running statistics of `batch_norm` stay those of the
    /// objective's model and belong to no other weights, so that there may seem to be a barrier where
    /// there is none: take [`between_models`](Self::between_models) then, or an objective
    /// [with the statistics of its batches](Objective::with_batch_statistics).
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    pub fn between(
        &self,
        objective: &Objective,
        from: &Tensor<1>,
        to: &Tensor<1>,
    ) -> Result<Profile, FlatnessError> {
        let (from, to) = (objective.own(from)?, objective.own(to)?);
        let start = objective.at(from.clone())?;
        self.line(&start, &(to - from), 0.0..=1.0)
    }

    /// Measures the loss along the straight line from the network `from`, α = 0, to `to`, α = 1, whose
    /// losses are theirs to the bit. All numbers of the networks go along,
    /// `(1 - α) from + α to`: parameters, frozen ones too, and the running means and variances of
    /// `batch_norm`. Beyond the two networks a running variance may come out negative, and the point
    /// be missing.
    ///
    /// `objective` makes the loss of a network; the progress is seen by who watches that of `from`.
    ///
    /// ```
    /// use kiln::data::digits;
    /// use kiln::flatness::{Objective, Slice};
    /// use kiln::prelude::*;
    ///
    /// model! {
    ///     struct Net;
    ///     input image: [1, 8, 8];
    ///     let scores = image -> conv2d(2, kernel: 3) -> batch_norm -> relu -> flatten -> linear(10);
    ///     output scores;
    ///     loss cross_entropy;
    /// }
    ///
    /// let device = default_device()?;
    /// let networks = [NetConfig::new().init(&device)?, NetConfig::new().init(&device)?];
    /// let data = digits()?;
    /// let loss = |network: &Net| Objective::new(network, &data);
    /// let profile = Slice::new().points(5).between_models(&networks[0], &networks[1], loss)?;
    /// assert_eq!(profile.losses[4], Some(loss(&networks[1])?.loss()?));
    /// # Ok::<(), kiln::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Networks with different parameters, numbers of `to` that are not finite, an empty range, fewer
    /// than two points, an error of `objective` or of the data.
    pub fn between_models<'a, M: Module>(
        &self,
        from: &M,
        to: &M,
        objective: impl Fn(&M) -> Result<Objective<'a>, FlatnessError>,
    ) -> Result<Profile, FlatnessError> {
        let between = Between::new(from, to)?;
        let first = objective(from)?;
        self.profile(first.watch(), 0.0..=1.0, |alpha| {
            objective(&between.at(alpha))
        })
    }

    fn line(
        &self,
        objective: &Objective,
        direction: &Tensor<1>,
        range: RangeInclusive<f64>,
    ) -> Result<Profile, FlatnessError> {
        let direction = &objective.own(direction)?;
        finite(direction, "the direction")?;
        let start = objective.weights();
        self.profile(objective.watch(), range, |alpha| {
            objective.at(start.clone() + direction.clone() * alpha)
        })
    }

    fn profile<'a>(
        &self,
        watch: &Watch,
        range: RangeInclusive<f64>,
        at: impl Fn(f64) -> Result<Objective<'a>, FlatnessError>,
    ) -> Result<Profile, FlatnessError> {
        let range = self.range.as_ref().unwrap_or(&range);
        let alphas = spaced("range", range, self.points)?;
        let points = alphas.iter().map(|alpha| at(*alpha));
        let found = measure(watch, "loss along a line", self.points, points)?;
        Ok(Profile {
            alphas,
            losses: found.losses,
            accuracies: found.accuracies,
            complete: found.complete,
        })
    }
}

impl Profile {
    /// The points as a table of values separated by commas: `alpha`, `loss`, `accuracy`. What is
    /// missing is empty.
    pub fn to_csv(&self) -> String {
        let mut csv = "alpha,loss,accuracy\n".to_owned();
        let found = self.losses.iter().zip(&self.accuracies);
        for (alpha, (loss, accuracy)) in self.alphas.iter().zip(found) {
            // Writing into a string does not fail.
            let _ = writeln!(csv, "{alpha},{},{}", cell(*loss), cell(*accuracy));
        }
        csv
    }
}
