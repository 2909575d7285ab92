//! The ends of a spectrum by Lanczos' method.

use burn::tensor::Tensor;

use super::eigenpairs::{Eigenpair, Spectrum};
use super::recurrence::{Recurrence, Ritz};
use crate::flatness::{FlatnessError, Operator};

/// Vectors are kept while they take less than this, in bytes, ..
const ROOM: usize = 1 << 30;
/// .. and so many in any case.
const VECTORS: usize = 128;
/// The eigenproblem of the projection is solved after each product up to this many, then ..
const EACH: usize = 32;
/// .. after each share of them: it takes the third power of their number.
const SHARE: usize = 16;
/// How likely it is that a copy of an eigenvalue is passed over.
const RISK: f64 = 1e-3;

/// Eigenvalues and eigenvectors at the ends of an operator's spectrum, by Lanczos' method (1950)
/// with full reorthogonalisation.
///
/// From products with a symmetric A alone, it finds Ritz pairs (θ, y) in the Krylov space of a
/// random vector, each with its residual norm |A y - θ y|: an eigenvalue lies that close to θ.
/// It ends when the residuals of all pairs asked for are under the tolerance times the largest
/// absolute eigenvalue, not when the values change little: a power iteration that does so may end
/// far from an eigenvalue.
///
/// A Krylov space holds one vector of each eigenspace. Where more than one pair of an end is
/// asked for, copies of multiple eigenvalues are looked for from further random vectors, until
/// none can be left but with a probability of about 1/1000 (Kuczyński and Woźniakowski 1992, theorem
/// 4.2).
///
/// ```
/// use kiln::Tensor;
/// use kiln::flatness::{Lanczos, Matrix};
///
/// let device = kiln::device::default_device()?;
/// let matrix = [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, -4.0]];
/// let matrix = Matrix::new(Tensor::from_floats(matrix, &device))?;
/// let spectrum = Lanczos::new().top(2).bottom(1).run(&matrix)?;
/// assert!(spectrum.complete);
/// assert!((spectrum.top[0].value - 3.0).abs() < 1e-4);
/// assert!((spectrum.top[1].value - 1.0).abs() < 1e-4);
/// assert!((spectrum.bottom[0].value + 4.0).abs() < 1e-4);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, serde::Serialize)]
pub struct Lanczos {
    top: usize,
    bottom: usize,
    tolerance: f64,
    products: usize,
    memory: Option<usize>,
    seed: u64,
}

impl Default for Lanczos {
    fn default() -> Self {
        Lanczos {
            top: 1,
            bottom: 0,
            tolerance: 1e-3,
            products: 1000,
            memory: None,
            seed: 0,
        }
    }
}

impl Lanczos {
    /// The largest eigenvalue, to a thousandth.
    pub fn new() -> Self {
        Self::default()
    }

    /// The largest `top` eigenvalues; 1 by default.
    pub fn top(self, top: usize) -> Self {
        Lanczos { top, ..self }
    }

    /// The smallest `bottom` eigenvalues, those furthest on the negative side; 0 by default.
    pub fn bottom(self, bottom: usize) -> Self {
        Lanczos { bottom, ..self }
    }

    /// What the residual norms may be, in units of the largest absolute eigenvalue; 1e-3 by
    /// default. An eigenvalue is then much closer than that, by the square of its residual over
    /// its distance to the next. Less than some ten times the numbers' precision cannot be asked
    /// for and is not waited for; products that are not as symmetric as this leave the search
    /// incomplete.
    pub fn tolerance(self, tolerance: f64) -> Self {
        Lanczos { tolerance, ..self }
    }

    /// The most products that are taken; 1,000 by default.
    pub fn products(self, products: usize) -> Self {
        Lanczos { products, ..self }
    }

    /// The most vectors that are kept at a time: with more than that to come, the search starts
    /// anew from the best pairs it has (thick restarts, Wu and Simon 2000), and takes more
    /// products. By default, what fits into a gibibyte, and 128 in any case.
    pub fn memory(self, vectors: usize) -> Self {
        Lanczos {
            memory: Some(vectors),
            ..self
        }
    }

    /// The seed of the first vector; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Lanczos { seed, ..self }
    }

    /// Finds the pairs. What stops it early, an interruption or the most products, leaves the best
    /// pairs until then, marked so.
    ///
    /// # Errors
    ///
    /// No pair asked for, or more than there are; a tolerance that is not positive, no products, a
    /// memory of fewer vectors than three times the pairs and four; an operator that fails or whose
    /// products are not finite.
    pub fn run<O: Operator + ?Sized>(&self, operator: &O) -> Result<Spectrum, FlatnessError> {
        let zeros = operator.zeros();
        let memory = self.check(&zeros)?;
        let [size] = zeros.dims();
        let wanted = self.top + self.bottom;
        let watch = operator.watch();
        let mut task = watch.task("eigenvalues", self.products);
        let mut recurrence = Recurrence::new(operator, self.seed)?;
        let mut locked: Option<Locked> = None;
        let (mut checked, mut before) = (0, false);
        let (complete, ritz) = loop {
            recurrence.step()?;
            let steps = recurrence.len();
            let last = !task.step() || recurrence.products() >= self.products;
            let full = steps == memory.min(size);
            let spaced = steps <= EACH || steps - checked >= steps / SHARE;
            let due = spaced || before || recurrence.invariant();
            if !(last || full || due && steps >= wanted) {
                recurrence.advance()?;
                continue;
            }
            checked = steps;
            let ritz = recurrence.ritz(0)?;
            let limit = self.tolerance * recurrence.norm() + recurrence.rounding();
            let exact = recurrence.noise() <= limit;
            if steps == size {
                break (exact, ritz);
            }
            let kept = self.ends(steps);
            let small = steps >= wanted && kept.iter().all(|at| ritz.residuals[*at] <= limit);
            // A random vector sees so little of a single eigenvalue far from many equal ones that
            // their residual is small without it; the next vector sees it.
            let converged = small && (before || recurrence.invariant());
            before = small;
            let behind = match &locked {
                Some(locked) => Some(recurrence.ritz(locked.count)?),
                None => None,
            };
            // Whether none is left, and whether what was found among the copies is one.
            let (settled, copy) = match (&locked, &behind) {
                (Some(locked), Some(behind)) => {
                    self.copies(locked, behind, recurrence.rounding(), size)
                }
                _ => (self.top < 2 && self.bottom < 2, true),
            };
            if converged && settled {
                break (exact, ritz);
            }
            if last {
                break (false, ritz);
            }
            if converged && copy {
                let value = |at: usize| ritz.values[at];
                locked = Some(Locked {
                    count: wanted,
                    lowest_top: (self.top > 1).then(|| value(steps - self.top)),
                    highest_bottom: (self.bottom > 1).then(|| value(self.bottom - 1)),
                    lowest: value(0) - ritz.residuals[0],
                    highest: value(steps - 1) + ritz.residuals[steps - 1],
                    limit,
                });
                recurrence.lock(&ritz, &kept)?;
                (checked, before) = (0, false);
            } else if full {
                let count = locked.as_ref().map_or(0, |locked| locked.count);
                let behind = behind.as_ref().unwrap_or(&ritz);
                let kept = self.best(behind.values.len(), memory - count);
                recurrence.restart(count, behind, &kept)?;
                (checked, before) = (0, false);
            } else {
                recurrence.advance()?;
            }
        };
        Ok(self.spectrum(&recurrence, &ritz, complete, operator))
    }

    /// Refuses what cannot be; the most vectors.
    fn check(&self, zeros: &Tensor<1>) -> Result<usize, FlatnessError> {
        let [size] = zeros.dims();
        let wanted = self.top.saturating_add(self.bottom);
        if wanted == 0 || wanted > size {
            let expected = format!("between 1 and {size}, the operator's size");
            return Err(FlatnessError::argument("top + bottom", wanted, expected));
        }
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            let expected = "positive and finite";
            return Err(FlatnessError::argument(
                "tolerance",
                self.tolerance,
                expected,
            ));
        }
        if self.products == 0 {
            return Err(FlatnessError::argument("products", 0, "at least 1"));
        }
        // The pairs found, those that a restart keeps of further ones, and some to get on with.
        let least = 3 * wanted + 4;
        let bytes = zeros.dtype().size() * size;
        match self.memory {
            Some(memory) if memory < least => {
                let expected = format!("at least {least}, three times the pairs and four");
                Err(FlatnessError::argument("memory", memory, expected))
            }
            Some(memory) => Ok(memory),
            None => Ok((ROOM / bytes.max(1)).max(VECTORS).max(4 * least)),
        }
    }

    /// Where the pairs asked for are among `steps` Ritz pairs, those of the top first.
    fn ends(&self, steps: usize) -> Vec<usize> {
        let top = self.top.min(steps);
        let bottom = self.bottom.min(steps - top);
        (steps - top..steps).rev().chain(0..bottom).collect()
    }

    /// Where the pairs are that a restart keeps: more than those asked for, so that little is lost.
    fn best(&self, steps: usize, memory: usize) -> Vec<usize> {
        let kept = memory / 2;
        let top = match (self.top, self.bottom) {
            (_, 0) => kept,
            (0, _) => 0,
            (top, bottom) => (kept * top / (top + bottom)).clamp(top, kept - bottom),
        };
        let more = Lanczos {
            top,
            bottom: kept - top,
            ..self.clone()
        };
        more.ends(steps)
    }

    /// Of the space orthogonal to the pairs found: whether it holds no further one that belongs
    /// among them, and whether it has shown one.
    fn copies(&self, locked: &Locked, behind: &Ritz, rounding: f64, size: usize) -> (bool, bool) {
        let steps = behind.values.len();
        let norm = behind
            .values
            .iter()
            .fold(0.0, |norm: f64, value| norm.max(value.abs()));
        let own = self.tolerance * norm + rounding;
        let unlikely = unlikely(steps, size);
        let settled = |value: f64, residual: f64, limit: f64, other: f64| {
            // Signs as at the top.
            let converged = residual <= own && value <= limit;
            converged || value < limit - unlikely * (limit - other)
        };
        let (mut none, mut some) = (true, false);
        if let Some(lowest) = locked.lowest_top {
            let (value, residual) = (behind.values[steps - 1], behind.residuals[steps - 1]);
            let limit = lowest + locked.limit;
            none &= settled(value, residual, limit, locked.lowest);
            some |= value > limit;
        }
        if let Some(highest) = locked.highest_bottom {
            let (value, residual) = (behind.values[0], behind.residuals[0]);
            let limit = highest - locked.limit;
            none &= settled(-value, residual, -limit, -locked.highest);
            some |= value < limit;
        }
        (none, some)
    }

    fn spectrum<O: Operator + ?Sized>(
        &self,
        recurrence: &Recurrence<O>,
        ritz: &Ritz,
        complete: bool,
        operator: &O,
    ) -> Spectrum {
        let ends = self.ends(ritz.values.len());
        let vectors = recurrence.combine(&ritz.vectors.select_columns(&ends));
        let pairs = ends.iter().zip(vectors).map(|(at, vector)| Eigenpair {
            value: ritz.values[*at],
            residual: ritz.residuals[*at] + recurrence.noise(),
            vector,
        });
        let mut top: Vec<Eigenpair> = pairs.collect();
        let bottom = top.split_off(self.top.min(top.len()));
        Spectrum {
            top,
            bottom,
            products: recurrence.products(),
            complete,
            rounding: recurrence.noise(),
            approximations: operator.approximations(),
        }
    }
}

/// What is known when copies are looked for.
struct Locked {
    count: usize,
    /// The last of the pairs asked for, of an end of which more than one was.
    lowest_top: Option<f64>,
    highest_bottom: Option<f64>,
    /// About where the spectrum begins and ends: an end that is not asked for may be further out.
    lowest: f64,
    highest: f64,
    /// The uncertainty of the pairs.
    limit: f64,
}

/// The share of the spectrum's width by which the largest Ritz value after `steps` products with a
/// random vector of length `size` may fall short of the largest eigenvalue, but for [`RISK`].
fn unlikely(steps: usize, size: usize) -> f64 {
    let root = (1.648 * (size as f64).sqrt() / RISK).ln() / (2 * steps - 1) as f64;
    root * root
}
