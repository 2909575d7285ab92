//! Densities of eigenvalues by stochastic Lanczos quadrature.

use std::f64::consts::TAU;
use std::fmt::Write;

use super::probes::Mean;
use super::recurrence::Recurrence;
use crate::flatness::{Approximation, FlatnessError, Operator};

/// The density of an operator's eigenvalues, by stochastic Lanczos quadrature (Golub and Meurant
/// 1994; Ghorbani, Krishnan and Xiao 2019; Yao et al. 2020).
///
/// From each random vector v of length one, m steps of Lanczos' method give m nodes θ and weights
/// ω with Σ ω p(θ) = vᵀ p(A) v for each polynomial p of degree up to 2m - 1, and the mean of that
/// over v is the mean of p over the eigenvalues. The nodes are drawn as Gaussian curves.
///
/// ```
/// use kiln::Tensor;
/// use kiln::flatness::{Density, Matrix};
///
/// let device = kiln::device::default_device()?;
/// let matrix = Matrix::new(Tensor::from_floats([[2.0, 1.0], [1.0, 2.0]], &device))?;
/// let density = Density::new().vectors(20).run(&matrix)?;
/// let picture = density.svg();
/// assert!(picture.starts_with("<svg"));
/// assert!(density.at(3.0) > density.at(2.0)); // the eigenvalues are 1 and 3
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Density {
    steps: usize,
    vectors: usize,
    seed: u64,
}

/// The eigenvalues as one random vector sees them.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Quadrature {
    /// The nodes, ascending: eigenvalues, or means of several.
    pub nodes: Vec<f64>,
    /// The share of the eigenvalues that each stands for; together 1.
    pub weights: Vec<f64>,
}

/// An estimated density of eigenvalues.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SpectralDensity {
    /// One for each random vector.
    pub runs: Vec<Quadrature>,
    /// The number of eigenvalues.
    pub size: usize,
    /// The standard deviation of the Gaussian curves, in the eigenvalues' units: that of Ghorbani
    /// et al., a variance of 1e-5 where the eigenvalues are scaled to [-1, 1].
    pub width: f64,
    /// The products that it took.
    pub products: usize,
    /// Whether all steps of all vectors were taken.
    pub complete: bool,
    /// What of the products was not exact.
    pub approximations: Vec<Approximation>,
}

impl Default for Density {
    fn default() -> Self {
        Density {
            steps: 100,
            vectors: 1,
            seed: 0,
        }
    }
}

impl Density {
    /// 100 steps with one vector, as Yao et al. take.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps from each vector, and the vectors that are kept; 100 by default. No more are
    /// taken than the operator's size.
    pub fn steps(self, steps: usize) -> Self {
        Density { steps, ..self }
    }

    /// The random vectors; 1 by default. From two on, the density has a
    /// [standard error](SpectralDensity::standard_error).
    pub fn vectors(self, vectors: usize) -> Self {
        Density { vectors, ..self }
    }

    /// The seed of the vectors; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Density { seed, ..self }
    }

    /// Estimates the density. An interruption leaves what there is until then, marked so.
    ///
    /// # Errors
    ///
    /// No steps, no vectors; an operator that fails or whose products are not finite.
    pub fn run<O: Operator + ?Sized>(
        &self,
        operator: &O,
    ) -> Result<SpectralDensity, FlatnessError> {
        for (name, count) in [("steps", self.steps), ("vectors", self.vectors)] {
            if count == 0 {
                return Err(FlatnessError::argument(name, 0, "at least 1"));
            }
        }
        let size = operator.size();
        let steps = self.steps.min(size);
        let watch = operator.watch();
        let mut task = watch.task("spectral density", steps.saturating_mul(self.vectors));
        let (mut runs, mut products) = (Vec::new(), 0);
        let (mut on, mut whole) = (true, true);
        while on && runs.len() < self.vectors {
            let seed = self.seed.wrapping_add(runs.len() as u64);
            let mut recurrence = Recurrence::new(operator, seed)?;
            loop {
                recurrence.step()?;
                on = task.step();
                // An invariant space has all that its vector sees.
                whole = recurrence.len() == steps || recurrence.invariant();
                if whole || !on {
                    break;
                }
                recurrence.advance()?;
            }
            products += recurrence.products();
            let ritz = recurrence.ritz(0)?;
            let first = ritz.vectors.row(0);
            runs.push(Quadrature {
                nodes: ritz.values,
                weights: first.iter().map(|entry| entry * entry).collect(),
            });
        }
        let mut density = SpectralDensity {
            complete: whole && runs.len() == self.vectors,
            runs,
            size,
            width: 0.0,
            products,
            approximations: operator.approximations(),
        };
        let (low, high) = density.range();
        // Equal eigenvalues have no width of their own.
        let scale = match (high - low) / 2.0 {
            0.0 => high.abs().max(f64::MIN_POSITIVE.sqrt()),
            half => half,
        };
        density.width = 1e-5f64.sqrt() * scale;
        Ok(density)
    }
}

impl SpectralDensity {
    /// The same with another [width](Self::width).
    pub fn with_width(self, width: f64) -> Self {
        SpectralDensity { width, ..self }
    }

    /// The density at `x`, a share of the eigenvalues per unit of theirs.
    pub fn at(&self, x: f64) -> f64 {
        self.mean(x).mean
    }

    /// The standard error of the density at `x` over the vectors; infinite for a single one.
    pub fn standard_error(&self, x: f64) -> f64 {
        self.mean(x).standard_error()
    }

    /// The mean of the eigenvalues' powers: for 1 the trace over the size.
    pub fn moment(&self, power: i32) -> f64 {
        let moment = |run: &Quadrature| {
            let terms = run.nodes.iter().zip(&run.weights);
            terms
                .map(|(node, weight)| weight * node.powi(power))
                .sum::<f64>()
        };
        self.runs.iter().map(moment).sum::<f64>() / self.runs.len() as f64
    }

    /// The share of the eigenvalues in each of `bins` intervals of equal width from the smallest
    /// node to the largest, each with its lower end; of the nodes themselves, not of their curves.
    pub fn histogram(&self, bins: usize) -> Vec<(f64, f64)> {
        let (low, high) = self.range();
        let bins = bins.max(1);
        let width = (high - low) / bins as f64;
        let mut shares: Vec<(f64, f64)> = (0..bins)
            .map(|bin| (low + bin as f64 * width, 0.0))
            .collect();
        for run in &self.runs {
            for (node, weight) in run.nodes.iter().zip(&run.weights) {
                // All in the first where there is no width.
                let bin = ((node - low) / width) as usize;
                shares[bin.min(bins - 1)].1 += weight / self.runs.len() as f64;
            }
        }
        shares
    }

    /// `points` eigenvalues and the density at each, from five widths below the smallest node to
    /// five above the largest.
    pub fn grid(&self, points: usize) -> Vec<(f64, f64)> {
        let (low, high) = self.range();
        let (low, high) = (low - 5.0 * self.width, high + 5.0 * self.width);
        let step = (high - low) / points.saturating_sub(1).max(1) as f64;
        let at = (0..points).map(|point| low + point as f64 * step);
        at.map(|x| (x, self.at(x))).collect()
    }

    /// The nodes and weights as a table of values separated by commas: `vector`, `eigenvalue`,
    /// `weight`.
    pub fn to_csv(&self) -> String {
        let mut csv = "vector,eigenvalue,weight\n".to_owned();
        for (vector, run) in self.runs.iter().enumerate() {
            for (node, weight) in run.nodes.iter().zip(&run.weights) {
                // Writing into a string does not fail.
                let _ = writeln!(csv, "{vector},{node},{weight}");
            }
        }
        csv
    }

    /// The smallest and the largest node.
    pub(super) fn range(&self) -> (f64, f64) {
        let nodes = self.runs.iter().flat_map(|run| &run.nodes);
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        nodes.fold(ends, |(low, high), node| (low.min(*node), high.max(*node)))
    }

    fn mean(&self, x: f64) -> Mean {
        let mut mean = Mean::default();
        for run in &self.runs {
            let curves = run.nodes.iter().zip(&run.weights).map(|(node, weight)| {
                let far = (x - node) / self.width;
                weight * (-0.5 * far * far).exp()
            });
            mean.add(curves.sum::<f64>() / (self.width * TAU.sqrt()));
        }
        mean
    }
}
