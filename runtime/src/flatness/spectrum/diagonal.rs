//! Diagonals by random vectors.

use std::ops::RangeInclusive;

use burn::tensor::Tensor;

use super::basis::norm;
use super::probes::Probes;
use super::trace::finite;
use crate::flatness::{Approximation, FlatnessError, Operator, Random};

/// The diagonal of an operator A, estimated from its products (Bekas, Kokiopoulou and Saad 2007):
/// the mean of v ⊙ Av over random vectors v of signs. The variance of entry i is Σ a_ij² over
/// j ≠ i, a probe.
///
/// ```
/// use kiln::Tensor;
/// use kiln::flatness::{Diagonal, Matrix};
///
/// let device = kiln::device::default_device()?;
/// let matrix = Matrix::new(Tensor::from_floats([[2.0, 1.0], [1.0, 7.0]], &device))?;
/// let estimate = Diagonal::new().tolerance(0.01).probes(10..=100_000).run(&matrix)?;
/// let diagonal = estimate.diagonal.to_data().to_vec::<f32>().unwrap();
/// assert!((diagonal[0] - 2.0).abs() < 0.3 && (diagonal[1] - 7.0).abs() < 0.3);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Diagonal {
    probes: Probes,
}

/// An estimated diagonal.
#[derive(Clone, Debug)]
pub struct DiagonalEstimate {
    /// The entries, in the eigenvalues' units, on the operator's device.
    pub diagonal: Tensor<1>,
    /// The standard error of each over the probes.
    pub standard_error: Tensor<1>,
    /// The probes they are the mean of, and the products that it took.
    pub probes: usize,
    /// Whether the standard errors are as small as was asked for.
    pub complete: bool,
    /// What of the products was not exact.
    pub approximations: Vec<Approximation>,
}

impl Diagonal {
    /// To 5 % of the diagonal's length.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the standard errors may be together, in units of the diagonal: the length of one over
    /// that of the other; 0.05 by default.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.probes.tolerance = tolerance;
        self
    }

    /// The fewest and the most probes; 10 to 1,000 by default. As with [`Trace`](super::Trace), few
    /// make the standard errors too small on average.
    pub fn probes(mut self, probes: RangeInclusive<usize>) -> Self {
        (self.probes.least, self.probes.most) = probes.into_inner();
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

    /// Estimates the diagonal. What stops it early, an interruption or the most probes, leaves the
    /// estimate until then, marked so.
    ///
    /// # Errors
    ///
    /// A tolerance that is not positive, fewer than two probes; an operator that fails or whose
    /// products are not finite.
    pub fn run<O: Operator + ?Sized>(
        &self,
        operator: &O,
    ) -> Result<DiagonalEstimate, FlatnessError> {
        self.probes.check()?;
        let zeros = operator.zeros();
        let watch = operator.watch();
        let mut task = watch.task("diagonal", self.probes.most);
        let mut random = Random::new(self.probes.seed);
        // Welford's recurrence, entry by entry.
        let (mut count, mut mean, mut squares) = (0, zeros.clone(), zeros.clone());
        let standard_error = |squares: &Tensor<1>, count: usize| match count {
            0 | 1 => zeros.full_like(f64::INFINITY),
            count => (squares.clone() / (count * (count - 1)) as f64).sqrt(),
        };
        let (probes, complete) = self.probes.run(
            operator,
            &mut random,
            || task.step(),
            |random| random.signs(&zeros),
            |probe, product| {
                count += 1;
                let entry = probe * product;
                let before = entry.clone() - mean.clone();
                mean = mean.clone() + before.clone() / count as f64;
                squares = squares.clone() + before * (entry - mean.clone());
                let length = finite(norm(&mean), count)?;
                Ok(norm(&standard_error(&squares, count)) <= self.probes.tolerance * length)
            },
        )?;
        Ok(DiagonalEstimate {
            standard_error: standard_error(&squares, count),
            diagonal: mean,
            probes,
            complete,
            approximations: operator.approximations(),
        })
    }
}
