//! The largest loss in a neighbourhood of the weights.

use burn::tensor::Tensor;

use crate::flatness::spectrum::{dot, norm};
use crate::flatness::{FlatnessError, Objective, Random};

/// The share of the rise that the slope promises which a step has to bring (Armijo 1966).
const ARMIJO: f64 = 0.1;
/// How often a step is shortened, each time to a quarter.
const SHORTER: usize = 8;
/// The search ends where the slope promises less than this share of the rise so far.
const STATIONARY: f64 = 1e-6;

/// How the largest loss of a neighbourhood was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Maximiser {
    /// The farthest point along the gradient at the centre, and no search.
    OneStep,
    /// Projected gradient ascent. Each step first tries the point of the neighbourhood that lies
    /// farthest along the gradient, as the generalised power method does (Journée, Nesterov,
    /// Richtárik and Sepulchre 2010), which never leads down where the loss is convex, and then
    /// shorter and shorter steps along the gradient, projected back. It finds a local maximum,
    /// and so a lower bound of the global one.
    ProjectedAscent,
}

/// The largest loss that was found in a neighbourhood.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Maximum {
    /// The loss at the centre.
    pub start: f64,
    /// The largest loss that was seen; with [`OneStep`](Maximiser::OneStep), that after the step.
    pub value: f64,
    /// How it was looked for.
    pub maximiser: Maximiser,
    /// The gradients that it took.
    pub gradients: usize,
    /// The further losses that it took.
    pub losses: usize,
    /// Whether the search was not interrupted.
    pub complete: bool,
}

/// The points `w + A (b ∘ u)` with `u` in a unit cube or a unit ball, where `A` is the identity
/// or has the rows of `frame` for columns.
pub(super) struct Neighbourhood {
    pub shape: Shape,
    pub half_widths: Tensor<1>,
    pub frame: Option<Tensor<2>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Cube,
    Ball,
}

impl Neighbourhood {
    /// The loss one step from the centre.
    pub fn one_step(&self, objective: &Objective<'_>) -> Result<Maximum, FlatnessError> {
        let (start, gradient) = objective.loss_and_gradient()?;
        let farthest = self.farthest(&self.slope(gradient));
        Ok(Maximum {
            start,
            value: self.at(objective, &farthest)?.loss()?,
            maximiser: Maximiser::OneStep,
            gradients: 1,
            losses: 1,
            complete: true,
        })
    }

    /// The largest loss that `steps` steps of projected ascent see.
    pub fn ascend(
        &self,
        objective: &Objective<'_>,
        steps: usize,
        seed: u64,
    ) -> Result<Maximum, FlatnessError> {
        let mut task = objective.watch().task("sharpness", steps);
        let (start, gradient) = objective.loss_and_gradient()?;
        let mut maximum = Maximum {
            start,
            value: start,
            maximiser: Maximiser::ProjectedAscent,
            gradients: 1,
            losses: 0,
            complete: false,
        };
        let (mut here, mut loss) = (self.half_widths.zeros_like(), start);
        let mut slope = self.slope(gradient);
        for step in 1..=steps {
            let next = if largest(&slope) == 0.0 && step == 1 {
                // At a critical point no direction leads up at first order.
                let there = self.farthest(&Random::new(seed).normal(&slope));
                maximum.losses += 1;
                let loss = self.at(objective, &there)?.loss()?;
                Some((there, loss))
            } else {
                self.step(objective, &here, loss, &slope, &mut maximum)?
            };
            let Some((there, reached)) = next else {
                maximum.complete = true;
                break;
            };
            (here, loss) = (there, reached);
            maximum.value = maximum.value.max(loss);
            maximum.complete = step == steps;
            if !task.step() || maximum.complete {
                break;
            }
            let gradient = self.at(objective, &here)?.gradient()?;
            maximum.gradients += 1;
            slope = self.slope(gradient);
        }
        Ok(maximum)
    }

    /// A higher point and its loss, or nothing where none was found.
    fn step(
        &self,
        objective: &Objective<'_>,
        here: &Tensor<1>,
        loss: f64,
        slope: &Tensor<1>,
        maximum: &mut Maximum,
    ) -> Result<Option<(Tensor<1>, f64)>, FlatnessError> {
        let farthest = self.farthest(slope);
        let promised = dot(slope, &(farthest.clone() - here.clone()));
        if promised <= STATIONARY * (maximum.value - maximum.start) {
            return Ok(None);
        }
        let shorter = (0..SHORTER).map(|power| {
            let unit = slope.clone() / self.size(slope);
            self.project(here.clone() + unit * 0.25f64.powi(power as i32))
        });
        for there in std::iter::once(farthest).chain(shorter) {
            maximum.losses += 1;
            let reached = self.at(objective, &there)?.loss()?;
            let promised = dot(slope, &(there.clone() - here.clone()));
            if reached > loss && reached - loss >= ARMIJO * promised {
                return Ok(Some((there, reached)));
            }
            maximum.value = maximum.value.max(reached);
        }
        Ok(None)
    }

    fn at<'a>(
        &self,
        objective: &Objective<'a>,
        point: &Tensor<1>,
    ) -> Result<Objective<'a>, FlatnessError> {
        let inside = self.half_widths.clone() * point.clone();
        let displacement = match &self.frame {
            Some(frame) => inside
                .unsqueeze_dim::<2>(0)
                .matmul(frame.clone())
                .squeeze_dim(0),
            None => inside,
        };
        objective.at(objective.weights() + displacement)
    }

    /// The gradient by the coordinates `u`.
    fn slope(&self, gradient: Tensor<1>) -> Tensor<1> {
        let inside = match &self.frame {
            Some(frame) => {
                let column = gradient.unsqueeze_dim::<2>(1);
                frame.clone().matmul(column).squeeze_dim(1)
            }
            None => gradient,
        };
        inside * self.half_widths.clone()
    }

    /// The point of the unit cube or ball that lies farthest along `slope`; the centre, where that
    /// is zero.
    fn farthest(&self, slope: &Tensor<1>) -> Tensor<1> {
        match self.shape {
            Shape::Cube => slope.clone().sign(),
            Shape::Ball => {
                // First by the largest, so that no square overflows or vanishes.
                match largest(slope) {
                    0.0 => slope.zeros_like(),
                    largest => {
                        let scaled = slope.clone() / largest;
                        let norm = norm(&scaled);
                        scaled / norm
                    }
                }
            }
        }
    }

    fn project(&self, point: Tensor<1>) -> Tensor<1> {
        match self.shape {
            Shape::Cube => point.clamp(-1.0, 1.0),
            Shape::Ball => {
                let norm = norm(&point).max(1.0);
                point / norm
            }
        }
    }

    /// The norm in which the neighbourhood is round.
    fn size(&self, slope: &Tensor<1>) -> f64 {
        match self.shape {
            Shape::Cube => largest(slope),
            Shape::Ball => norm(slope),
        }
    }
}

/// The largest absolute value.
fn largest(vector: &Tensor<1>) -> f64 {
    vector.clone().abs().max().into_scalar()
}

/// Refuses a search without steps.
pub(super) fn some_steps(steps: usize) -> Result<(), FlatnessError> {
    match steps {
        0 => Err(FlatnessError::argument("steps", steps, "at least 1")),
        _ => Ok(()),
    }
}
