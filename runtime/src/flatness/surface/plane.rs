//! The loss over a plane.

use std::fmt::Write;
use std::ops::RangeInclusive;

use burn::tensor::Tensor;

use super::{cell, finite, measure, spaced};
use crate::flatness::{FlatnessError, Objective};

/// The loss over a plane of parameter space, L(w + x d + y e) on a grid.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{FilterNormalisation, Objective, Plane};
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
/// let filters = FilterNormalisation::new();
/// let directions = [filters.random(&objective, 0)?, filters.random(&objective, 1)?];
/// let surface = Plane::new().points(5).run(&objective, &directions)?;
/// assert_eq!(surface.losses.len(), 25);
/// println!("{}", surface.to_csv());
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plane {
    x: RangeInclusive<f64>,
    y: RangeInclusive<f64>,
    points: usize,
}

/// The loss on a grid of a plane.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Surface {
    /// The places along the first direction, in units of it.
    pub x: Vec<f64>,
    /// The places along the second.
    pub y: Vec<f64>,
    /// The losses, for each of `y` those of all `x`; `None` where one is not finite, or was not
    /// measured any more.
    pub losses: Vec<Option<f64>>,
    /// The shares of classes that are right, in the same order, where the loss knows right from
    /// wrong and is finite.
    pub accuracies: Vec<Option<f64>>,
    /// The places of a [trajectory](super::Trajectory) in the plane, if it is that of one.
    pub path: Vec<[f64; 2]>,
    /// The shares of the trajectory's variance along the two directions.
    pub explained: Option<[f64; 2]>,
    /// Whether all points were measured.
    pub complete: bool,
}

impl Default for Plane {
    fn default() -> Self {
        Plane {
            x: -1.0..=1.0,
            y: -1.0..=1.0,
            points: 25,
        }
    }
}

impl Plane {
    /// 25 by 25 points, from -1 to 1 each way.
    pub fn new() -> Self {
        Self::default()
    }

    /// The range along the first direction; -1 to 1 by default.
    pub fn x(self, x: RangeInclusive<f64>) -> Self {
        Plane { x, ..self }
    }

    /// The range along the second direction; -1 to 1 by default.
    pub fn y(self, y: RangeInclusive<f64>) -> Self {
        Plane { y, ..self }
    }

    /// How many points each way, both ends among them; 25 by default. Each of their squares is a
    /// pass over the data.
    pub fn points(self, points: usize) -> Self {
        Plane { points, ..self }
    }

    /// Measures the loss over the plane through the objective's weights. A loss that is not
    /// finite is a missing point; an interruption leaves the points until then, marked so.
    ///
    /// # Errors
    ///
    /// A direction of another length or that is not finite, an empty range, fewer than two points, an
    /// error of the data.
    pub fn run(
        &self,
        objective: &Objective,
        directions: &[Tensor<1>; 2],
    ) -> Result<Surface, FlatnessError> {
        let [d, e] = directions;
        let directions = [objective.own(d)?, objective.own(e)?];
        for direction in &directions {
            finite(direction, "the direction")?;
        }
        let x = spaced("x", &self.x, self.points)?;
        let y = spaced("y", &self.y, self.points)?;
        let (start, [d, e]) = (objective.weights(), &directions);
        let points = y.iter().flat_map(|y| {
            let row = start.clone() + e.clone() * *y;
            x.iter().map(move |x| row.clone() + d.clone() * *x)
        });
        let points = points.map(|weights| objective.at(weights));
        let count = self.points * self.points;
        let found = measure(objective.watch(), "loss over a plane", count, points)?;
        Ok(Surface {
            x,
            y,
            losses: found.losses,
            accuracies: found.accuracies,
            path: Vec::new(),
            explained: None,
            complete: found.complete,
        })
    }
}

impl Surface {
    /// The loss at a point of the grid, by its place along each direction; `None` where it is missing
    /// or there is no such point.
    pub fn at(&self, column: usize, row: usize) -> Option<f64> {
        let columns = self.x.len();
        let inside = column < columns;
        let at = row.checked_mul(columns)?.checked_add(column)?;
        self.losses.get(at).copied().flatten().filter(|_| inside)
    }

    /// The points as a table of values separated by commas: `x`, `y`, `loss`, `accuracy`. What is
    /// missing is empty.
    pub fn to_csv(&self) -> String {
        let mut csv = "x,y,loss,accuracy\n".to_owned();
        let places = self
            .y
            .iter()
            .flat_map(|y| self.x.iter().map(move |x| (x, y)));
        let found = self.losses.iter().zip(&self.accuracies);
        for ((x, y), (loss, accuracy)) in places.zip(found) {
            // Writing into a string does not fail.
            let _ = writeln!(csv, "{x},{y},{},{}", cell(*loss), cell(*accuracy));
        }
        csv
    }

    /// The places of the trajectory as a table of values separated by commas: `snapshot`, `x`, `y`.
    pub fn path_to_csv(&self) -> String {
        let mut csv = "snapshot,x,y\n".to_owned();
        for (snapshot, [x, y]) in self.path.iter().enumerate() {
            let _ = writeln!(csv, "{snapshot},{x},{y}");
        }
        csv
    }
}
