//! Traces by random vectors.

use std::ops::RangeInclusive;

use super::basis::{Basis, dot, norm};
use super::probes::{Mean, Probes, products};
use super::recurrence::epsilon;
use crate::flatness::{Approximation, FlatnessError, Operator, Random};

/// The trace of an operator, estimated from its products with random vectors.
///
/// The estimate is a mean over probes, and ends when the mean's standard error is under the
/// tolerance times its absolute value: not when the mean stands still for a while, which it does
/// by chance.
///
/// ```
/// use kiln::Tensor;
/// use kiln::flatness::{Matrix, Trace};
///
/// let device = kiln::device::default_device()?;
/// let matrix = [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]];
/// let matrix = Matrix::new(Tensor::from_floats(matrix, &device))?;
/// let estimate = Trace::hutchinson().tolerance(0.02).run(&matrix)?;
/// assert!(estimate.complete);
/// assert!((estimate.trace - 9.0).abs() < 4.0 * estimate.standard_error);
///
/// let estimate = Trace::hutch_plus_plus(3).run(&matrix)?;
/// assert!((estimate.trace - 9.0).abs() < 1e-4);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, serde::Serialize)]
pub struct Trace {
    rank: usize,
    sketched: bool,
    gaussian: bool,
    probes: Probes,
}

/// An estimated trace.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TraceEstimate {
    /// The sum of the eigenvalues, in their units.
    pub trace: f64,
    /// The standard error of it over the probes; infinite for a single one, and zero where Hutch++
    /// spans all and takes none.
    pub standard_error: f64,
    /// The probes it is the mean of.
    pub probes: usize,
    /// The products that it took.
    pub products: usize,
    /// Whether the standard error is as small as was asked for.
    pub complete: bool,
    /// What of the products was not exact.
    pub approximations: Vec<Approximation>,
}

impl Trace {
    /// Hutchinson's estimator (1990): the mean of vᵀAv over random vectors v of signs. Its variance
    /// is 2 (|A|² - Σ a_ii²) a probe, with the Frobenius norm |A|.
    pub fn hutchinson() -> Self {
        Trace {
            rank: 0,
            sketched: false,
            gaussian: false,
            probes: Probes::default(),
        }
    }

    /// Hutch++ (Meyer, Musco, Musco and Woodruff 2021): the exact trace on a space Q of dimension
    /// `rank` that A itself turns random vectors into, and Hutchinson's estimate of the rest. It
    /// takes 2 `rank` products before the first probe, and fewer probes where few eigenvalues are
    /// large; none of the variance is left where A has no higher rank.
    pub fn hutch_plus_plus(rank: usize) -> Self {
        Trace {
            rank,
            sketched: true,
            ..Trace::hutchinson()
        }
    }

    /// What the standard error may be, in units of the trace's absolute value; 0.05 by default. It
    /// is not reached for a trace of zero.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.probes.tolerance = tolerance;
        self
    }

    /// The fewest and the most probes; 10 to 1,000 by default. Few leave the standard error itself
    /// uncertain, and since the first that is small enough ends the search, too small on average:
    /// 30 or more where it matters.
    pub fn probes(mut self, probes: RangeInclusive<usize>) -> Self {
        (self.probes.least, self.probes.most) = probes.into_inner();
        self
    }

    /// Probes of numbers from N(0, 1) instead of signs. The variance is 2 |A|² a probe.
    pub fn gaussian(mut self) -> Self {
        self.gaussian = true;
        self
    }

    /// How many products are asked for at once; 4 by default. A network's share the pass over the
    /// data, and take the memory of as many.
    pub fn together(mut self, together: usize) -> Self {
        self.probes.together = together;
        self
    }

    /// The seed of the probes; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.probes.seed = seed;
        self
    }

    /// Estimates the trace. What stops it early, an interruption or the most probes, leaves the
    /// estimate until then, marked so.
    ///
    /// # Errors
    ///
    /// A rank of zero or of more than the operator's size, a tolerance that is not positive, fewer
    /// than two probes; an operator that fails or whose products are not finite; an interruption
    /// before the first probe.
    pub fn run<O: Operator + ?Sized>(&self, operator: &O) -> Result<TraceEstimate, FlatnessError> {
        self.probes.check()?;
        let zeros = operator.zeros();
        let [size] = zeros.dims();
        if self.sketched && !(1..=size).contains(&self.rank) {
            let expected = format!("between 1 and {size}, the operator's size");
            return Err(FlatnessError::argument("rank", self.rank, expected));
        }
        let watch = operator.watch();
        let mut task = watch.task("trace", self.probes.most.saturating_add(2 * self.rank));
        let mut random = Random::new(self.probes.seed);
        let mut basis = Basis::new(zeros.clone());
        let mut drawn = 0;
        while drawn < self.rank {
            let count = self.probes.together.min(self.rank - drawn);
            // Few vectors of signs are often dependent.
            let vectors: Vec<_> = (0..count).map(|_| random.normal(&zeros)).collect();
            for product in products(operator, &vectors)? {
                drawn += 1;
                let before = finite(norm(&product), drawn)?;
                let rest = basis.orthogonalise(product);
                // The rank of the operator may be smaller.
                if rest.norm > 10.0 * epsilon(&zeros) * before {
                    basis.push(rest.vector / rest.norm);
                }
                if !task.step() {
                    return Err(FlatnessError::Interrupted);
                }
            }
        }
        let (mut exact, mut taken) = (0.0, drawn);
        for begin in (0..basis.len()).step_by(self.probes.together) {
            let end = basis.len().min(begin.saturating_add(self.probes.together));
            let vectors = basis.vectors(begin..end);
            for (vector, product) in vectors.iter().zip(products(operator, &vectors)?) {
                taken += 1;
                exact += finite(dot(vector, &product), taken)?;
                if !task.step() {
                    return Err(FlatnessError::Interrupted);
                }
            }
        }
        if basis.len() == size {
            return Ok(TraceEstimate {
                trace: exact,
                standard_error: 0.0,
                probes: 0,
                products: taken,
                complete: true,
                approximations: operator.approximations(),
            });
        }
        let before = taken;
        let mut rest = Mean::default();
        let (probes, complete) = self.probes.run(
            operator,
            &mut random,
            || task.step(),
            |random| {
                let probe = match self.gaussian {
                    true => random.normal(&zeros),
                    false => random.signs(&zeros),
                };
                match self.sketched {
                    true => basis.orthogonalise(probe).vector,
                    false => probe,
                }
            },
            |probe, product| {
                taken += 1;
                rest.add(finite(dot(&probe, &product), taken)?);
                let allowed = self.probes.tolerance * (exact + rest.mean).abs();
                Ok(rest.standard_error() <= allowed)
            },
        )?;
        Ok(TraceEstimate {
            trace: exact + rest.mean,
            standard_error: rest.standard_error(),
            probes,
            products: before + probes,
            complete,
            approximations: operator.approximations(),
        })
    }
}

pub(super) fn finite(value: f64, product: usize) -> Result<f64, FlatnessError> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(FlatnessError::NonFinite {
            what: format!("product {product} with the operator"),
        }),
    }
}
