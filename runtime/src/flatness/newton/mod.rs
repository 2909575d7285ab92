//! Minimising by curvature: Newton's method on products with the Hessian.

mod conjugate;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use self::conjugate::{Solution, solve};
use super::spectrum::{dot, epsilon, norm};
use super::{Approximation, FlatnessError, Objective, Operator};

/// The share of the decrease that the slope promises which a step has to bring: Armijo's condition.
const DECREASE: f64 = 1e-4;
/// A step is halved so often before there is none.
const HALVINGS: usize = 40;
/// The smallest damping but zero.
const LEAST_DAMPING: f64 = 1e-12;

/// The matrix `B` of a [`NewtonCg`] step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CurvatureMatrix {
    /// The matrix of second derivatives; it may curve downwards.
    #[default]
    Hessian,
    /// The Gauss-Newton matrix, which does not where the loss is convex in the network's outputs.
    GaussNewton,
}

/// Truncated Newton with conjugate gradients ([Nocedal and Wright
/// 2006](https://doi.org/10.1007/978-0-387-40065-5), algorithm 7.1), on exact products.
///
/// An iteration solves `(B + λI) p = -∇L(w)` by conjugate gradients until the residual is under
/// `min(0.5, √|∇L|) |∇L|`, so that near a minimum the error falls faster than linearly. Where `B + λI`
/// does not curve upwards along a direction of the search, `p` is what was found before it, and `-∇L`
/// where that is nothing. Then `w ← w + tp` with the first of `t` = 1, 1/2, 1/4, .. that brings a ten
/// thousandth of the decrease that the slope promises (Armijo), up to the rounding of the loss where
/// `t` is 1; where none does, the same along `-∇L`.
///
/// With a damping, `λ` follows how well the quadratic model foretells the loss, as in
/// Levenberg's and Marquardt's method: times 2/3 where the loss fell by more than 3/4 of what was
/// foretold, times 3/2 where by less than 1/4 or where `t` was halved (Martens 2010, section 4.1).
/// Where no step along `p` helps, the next `λ` is at least `|∇L| / |p|`, also without a damping.
///
/// It ends where the gradient vanishes, which is a saddle too, if it began on one:
/// [`Spectrum::critical_point`](super::Spectrum::critical_point) tells.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{NewtonCg, Objective};
/// use kiln::prelude::*;
///
/// model! {
///     struct Logistic;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy(label_smoothing: 0.1);
/// }
///
/// let model = LogisticConfig::new().init(&default_device()?)?;
/// let (data, _) = digits()?.split(0.1, 1)?;
/// let objective = Objective::new(&model, &data)?;
/// let minimum = NewtonCg::new().iterations(5).minimise(&objective)?;
/// let model = objective.at(minimum.weights)?.write(&model)?;
/// assert!(evaluate(&model, &data, 64)?.loss < 0.8);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NewtonCg {
    curvature: CurvatureMatrix,
    damping: f64,
    iterations: usize,
    products: usize,
    tolerance: f64,
}

impl Default for NewtonCg {
    fn default() -> Self {
        NewtonCg {
            curvature: CurvatureMatrix::Hessian,
            damping: 0.0,
            iterations: 100,
            products: 250,
            tolerance: 1e-6,
        }
    }
}

/// Where [`NewtonCg::minimise`] came to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Minimum {
    /// The weights, for [`Objective::at`].
    #[serde(skip)]
    pub weights: Tensor<1>,
    /// The loss there.
    pub loss: f64,
    /// The norm of the gradient there.
    pub gradient_norm: f64,
    /// The damping that a further iteration would have.
    pub damping: f64,
    /// The iterations on the way.
    pub history: Vec<NewtonIteration>,
    /// Why it ended.
    pub reason: Ending,
    /// What of the products was not exact.
    pub approximations: Vec<Approximation>,
}

impl Minimum {
    /// Whether the gradient vanished.
    pub fn converged(&self) -> bool {
        self.reason == Ending::Converged
    }
}

/// An iteration of [`NewtonCg`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NewtonIteration {
    /// The loss before it.
    pub loss: f64,
    /// The norm of the gradient before it.
    pub gradient_norm: f64,
    /// The damping `λ`.
    pub damping: f64,
    /// The products with the matrix.
    pub products: usize,
    /// Whether the matrix curves downwards along a direction that was met.
    pub negative_curvature: bool,
    /// The step's length `t`, in units of `p`.
    pub step: f64,
}

/// Why [`NewtonCg::minimise`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// The norm of the gradient is within the tolerance.
    Converged,
    /// The most iterations.
    Iterations,
    /// No step brings the loss down by more than its rounding, or the norm of the gradient.
    Stalled,
    /// From the weights found on, the gradient or a product is not finite.
    NonFinite,
    /// The [watch](super::Watch) said so.
    Interrupted,
}

/// How often a step from the same weights is tried, each with more damping.
const TRIES: usize = 4;

impl NewtonCg {
    /// On the Hessian without damping, at most 100 iterations of at most 250 products, until the
    /// gradient's norm is 1e-6.
    pub fn new() -> Self {
        Self::default()
    }

    /// The matrix.
    pub fn curvature(self, curvature: CurvatureMatrix) -> Self {
        NewtonCg { curvature, ..self }
    }

    /// The first damping `λ`, in the units of an eigenvalue; with 0, the default, there is none until a
    /// step fails.
    pub fn damping(self, damping: f64) -> Self {
        NewtonCg { damping, ..self }
    }

    /// The most iterations.
    pub fn iterations(self, iterations: usize) -> Self {
        NewtonCg { iterations, ..self }
    }

    /// The most products of an iteration.
    pub fn products(self, products: usize) -> Self {
        NewtonCg { products, ..self }
    }

    /// It ends where the norm of the gradient is no larger.
    pub fn tolerance(self, tolerance: f64) -> Self {
        NewtonCg { tolerance, ..self }
    }

    /// Minimises the loss from the weights of `objective` on. What stops it early leaves the weights
    /// until then, and says so. Each iteration brings down the loss or, where its rounding hides
    /// that, the norm of the gradient.
    ///
    /// # Errors
    ///
    /// A damping or a tolerance that is negative or not finite, no iterations or products, and what
    /// the loss, its gradient and its products fail with where it begins; an error of the data.
    pub fn minimise(&self, objective: &Objective<'_>) -> Result<Minimum, FlatnessError> {
        self.check()?;
        let watch = objective.watch();
        let mut task = watch.task("Newton", self.iterations);
        let mut here = objective.clone();
        let (mut loss, mut gradient) = here.loss_and_gradient()?;
        let (mut damping, mut history) = (self.damping, Vec::new());
        let (mut approximations, mut tries) = (Vec::new(), 0);
        let reason = loop {
            let gradient_norm = norm(&gradient);
            if gradient_norm <= self.tolerance {
                break Ending::Converged;
            }
            if history.len() == self.iterations {
                break Ending::Iterations;
            }
            if !history.is_empty() && !task.step() {
                break Ending::Interrupted;
            }
            let next = match self.iterate(&here, (loss, &gradient), damping, 1.0) {
                Err(FlatnessError::NonFinite { .. }) if !history.is_empty() => {
                    break Ending::NonFinite;
                }
                next => next?,
            };
            (damping, approximations) = (next.damping, next.approximations);
            let Some(there) = next.objective else {
                tries += 1;
                match tries {
                    _ if watch.stopped() => break Ending::Interrupted,
                    TRIES => break Ending::Stalled,
                    _ => continue,
                }
            };
            tries = 0;
            let (lower, slope) = match there.loss_and_gradient() {
                Err(FlatnessError::NonFinite { .. }) => break Ending::NonFinite,
                found => found?,
            };
            if lower >= loss - rounding(loss, &gradient) && norm(&slope) >= gradient_norm {
                break Ending::Stalled;
            }
            history.push(next.iteration);
            (here, loss, gradient) = (there, lower, slope);
        };
        Ok(Minimum {
            weights: here.weights(),
            loss,
            gradient_norm: norm(&gradient),
            damping,
            history,
            reason,
            approximations,
        })
    }

    /// An iteration, whose line search begins at `first`.
    pub(crate) fn iterate<'a>(
        &self,
        here: &Objective<'a>,
        (loss, gradient): (f64, &Tensor<1>),
        damping: f64,
        first: f64,
    ) -> Result<Iterated<'a>, FlatnessError> {
        let matrix = match self.curvature {
            CurvatureMatrix::Hessian => here.hessian(),
            CurvatureMatrix::GaussNewton => here.gauss_newton(),
        };
        let gradient_norm = norm(gradient);
        let within = gradient_norm * gradient_norm.sqrt().min(0.5);
        let watch = here.watch();
        let go = || !watch.stopped();
        let mut solution = solve(&matrix, gradient, damping, within, self.products, go)?;
        let slack = rounding(loss, gradient);
        let mut found = armijo(here, loss, &solution, first, slack)?;
        let scale = gradient_norm / norm(&solution.direction);
        let helped = found.is_some();
        if !helped && !solution.steepest {
            solution.direction = -gradient.clone();
            solution.slope = -dot(gradient, gradient);
            found = armijo(here, loss, &solution, first, 0.0)?;
        }
        let step = found.as_ref().map_or(0.0, |(step, ..)| *step);
        let ratio = found.as_ref().map_or(0.0, |(_, found, _)| {
            let foretold = -step * (solution.slope + 0.5 * step * solution.curvature);
            (loss - found) / foretold
        });
        Ok(Iterated {
            objective: found.map(|(.., objective)| objective),
            damping: match damping > 0.0 {
                _ if !helped => scale.max(damping * 1.5),
                false => 0.0,
                true if step < first || ratio < 0.25 => damping * 1.5,
                true if ratio > 0.75 => (damping / 1.5).max(LEAST_DAMPING),
                true => damping,
            },
            iteration: NewtonIteration {
                loss,
                gradient_norm,
                damping,
                products: solution.products,
                negative_curvature: solution.negative_curvature,
                step,
            },
            approximations: matrix.approximations(),
        })
    }

    fn check(&self) -> Result<(), FlatnessError> {
        for (name, found) in [("damping", self.damping), ("tolerance", self.tolerance)] {
            if !(found >= 0.0 && found.is_finite()) {
                let expected = "at least 0 and finite";
                return Err(FlatnessError::argument(name, found, expected));
            }
        }
        for (name, found) in [("iterations", self.iterations), ("products", self.products)] {
            if found == 0 {
                return Err(FlatnessError::argument(name, found, "at least 1"));
            }
        }
        Ok(())
    }
}

/// What an iteration came to.
pub(crate) struct Iterated<'a> {
    /// Nothing where no step brings the loss down.
    pub objective: Option<Objective<'a>>,
    /// That of the next iteration.
    pub damping: f64,
    iteration: NewtonIteration,
    approximations: Vec<Approximation>,
}

/// What the loss may be off by, in the precision of its gradient.
fn rounding(loss: f64, gradient: &Tensor<1>) -> f64 {
    4.0 * epsilon(gradient) * loss.abs()
}

/// How far to go along a direction, from `first` on, with the loss there, as a number and as a
/// function; nothing where no step brings it down. The first step may miss that by `slack`.
fn armijo<'a>(
    here: &Objective<'a>,
    loss: f64,
    along: &Solution,
    first: f64,
    slack: f64,
) -> Result<Option<(f64, f64, Objective<'a>)>, FlatnessError> {
    let weights = here.weights();
    let (mut step, mut slack) = (first, slack);
    for _ in 0..HALVINGS {
        if here.watch().stopped() {
            break;
        }
        let there = here.at(weights.clone() + along.direction.clone() * step)?;
        match there.loss() {
            Ok(found)
                if found < loss + slack
                    && found <= loss + DECREASE * step * along.slope + slack =>
            {
                return Ok(Some((step, found, there)));
            }
            Ok(_) | Err(FlatnessError::NonFinite { .. }) => {}
            Err(error) => return Err(error),
        }
        (step, slack) = (0.5 * step, 0.0);
    }
    Ok(None)
}

/// The weights after the plain Newton step `w - H⁻¹∇L(w)`, the minimum where the loss is a convex
/// quadratic in them; where it has many, as with fewer examples than weights, the nearest.
///
/// Solved by conjugate gradients until the residual is as small as rounding lets it be, in ten
/// products for each weight at most.
///
/// ```
/// use kiln::flatness::{Objective, newton_step};
/// use kiln::prelude::*;
/// use kiln::burn::nn::{Linear, LinearConfig};
///
/// let device = default_device()?;
/// let module: Linear = LinearConfig::new(2, 1).init(&device);
/// let x = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, -1.0], [0.0, 1.0], [2.0, 2.0]], &device);
/// let y = x.clone().sum_dim(1) + 1.0;
/// let objective = Objective::plain(&module, vec![((x, y), 4)], |module, (x, y)| {
///     kiln::loss::mse(module.forward(x), y)
/// })?;
/// let there = objective.at(newton_step(&objective)?)?;
/// assert!(there.loss()? < 1e-4);
/// # Ok::<(), kiln::Error>(())
/// ```
///
/// # Errors
///
/// [`FlatnessError::Indefinite`] where the loss curves downwards along a direction, so that the step
/// would lead to a saddle; [`FlatnessError::Unsolved`] where the products did not lead to a step;
/// [`FlatnessError::Interrupted`]; and those of the gradient and of the products.
pub fn newton_step(objective: &Objective<'_>) -> Result<Tensor<1>, FlatnessError> {
    let gradient = objective.gradient()?;
    let (epsilon, length) = (epsilon(&gradient), norm(&gradient));
    let most = objective.size().saturating_mul(10);
    let watch = objective.watch();
    let mut task = watch.task("Newton step", most);
    let hessian = objective.hessian();
    let within = epsilon * length;
    let solution = solve(&hessian, &gradient, 0.0, within, most, || task.step())?;
    if solution.negative_curvature {
        return Err(FlatnessError::Indefinite);
    }
    let step = solution.direction;
    let residual = norm(&(hessian.product(&step)? + gradient));
    // What rounding leaves of the equation at the least.
    let least = solution.rounding * norm(&step);
    if residual <= epsilon.sqrt() * length + least {
        return Ok(objective.weights() + step);
    }
    Err(match watch.stopped() {
        true => FlatnessError::Interrupted,
        false => FlatnessError::Unsolved {
            residual: residual / length,
            products: solution.products + 1,
        },
    })
}
