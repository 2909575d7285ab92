//! Sharpness in a box: Keskar et al. 2017.

use burn::tensor::{Tensor, TensorData};
use nalgebra::{DMatrix, DVector};

use super::neighbourhood::{Maximum, Neighbourhood, Shape, some_steps};
use crate::flatness::error::positive;
use crate::flatness::spectrum::epsilon;
use crate::flatness::{FlatnessError, Objective, Random};

/// The sharpness of Keskar, Mudigere, Nocedal, Smelyanskiy and Tang (2017), equation 4: how far
/// the loss f rises in a small box around the weights x, in per cent,
///
/// ```text
/// φ = 100 (max f(x + A z) - f(x)) / (1 + f(x)),  over |z_i| <= ε (|(A⁺ x)_i| + 1).
/// ```
///
/// `A` is the identity, or, with [`subspace`](Self::subspace), as many random columns as are
/// asked for, of numbers from N(0, 1); `A⁺` is its pseudo-inverse.
///
/// The largest loss is looked for by [projected gradient
/// ascent](super::Maximiser::ProjectedAscent) from the centre, of ten steps unless said. The paper
/// takes ten iterations of L-BFGS-B. Either finds a local maximum; the measure is a lower bound of
/// what the equation says, and never below 0.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{Keskar, Objective};
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
/// let wide = Keskar::new().run(&objective)?;
/// let narrow = Keskar::new().epsilon(5e-4).run(&objective)?;
/// assert!(wide.sharpness > narrow.sharpness && narrow.sharpness > 0.0);
///
/// let random = Keskar::new().subspace(100).run(&objective)?;
/// println!("{:.2} % and {:.2} %", wide.sharpness, random.sharpness);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, serde::Serialize)]
pub struct Keskar {
    epsilon: f64,
    subspace: Option<usize>,
    steps: usize,
    seed: u64,
}

/// Sharpness in a box, as [`Keskar`] measures it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct KeskarSharpness {
    /// φ, in per cent of one more than the loss; without a unit where the loss has none.
    pub sharpness: f64,
    /// ε, the size of the box beside the weights'.
    pub epsilon: f64,
    /// The columns of `A`, where it is not the identity.
    pub subspace: Option<usize>,
    /// The largest loss, and how it was looked for.
    pub maximum: Maximum,
}

impl Default for Keskar {
    fn default() -> Self {
        Keskar {
            epsilon: 1e-3,
            subspace: None,
            steps: 10,
            seed: 0,
        }
    }
}

impl Keskar {
    /// ε of 1e-3, in the full space.
    pub fn new() -> Self {
        Self::default()
    }

    /// The size ε of the box; 1e-3 by default. The paper takes 1e-3 and 5e-4.
    pub fn epsilon(self, epsilon: f64) -> Self {
        Keskar { epsilon, ..self }
    }

    /// Moves in a random subspace of this dimension, 100 in the paper, instead of in all
    /// directions. As many vectors of the weights' length are kept.
    pub fn subspace(self, dimension: usize) -> Self {
        Keskar {
            subspace: Some(dimension),
            ..self
        }
    }

    /// The steps of the ascent; 10 by default.
    pub fn steps(self, steps: usize) -> Self {
        Keskar { steps, ..self }
    }

    /// The seed of the subspace, and of the first step where the gradient is zero; 0 by default.
    pub fn seed(self, seed: u64) -> Self {
        Keskar { seed, ..self }
    }

    /// Measures the sharpness. An interruption leaves the largest loss until then, marked so.
    ///
    /// # Errors
    ///
    /// An ε that is not positive, no steps, a subspace of no dimension or of more than there are
    /// parameters; a loss of -1 or less, for which the measure is not defined; an error of the
    /// data, or a loss or a gradient that is not finite.
    pub fn run(&self, objective: &Objective<'_>) -> Result<KeskarSharpness, FlatnessError> {
        positive("epsilon", self.epsilon)?;
        some_steps(self.steps)?;
        let size = objective.size();
        if let Some(dimension) = self.subspace
            && !(1..=size).contains(&dimension)
        {
            let expected = format!("between 1 and {size}, the number of parameters");
            return Err(FlatnessError::argument("subspace", dimension, expected));
        }
        let weights = objective.weights();
        let mut random = Random::new(self.seed);
        let frame = self.subspace.map(|dimension| {
            let columns = (0..dimension).map(|_| random.normal(&weights));
            Tensor::stack::<2>(columns.collect(), 0)
        });
        let inside = match &frame {
            Some(frame) => coordinates(frame, &weights)?,
            None => weights,
        };
        let neighbourhood = Neighbourhood {
            shape: Shape::Cube,
            half_widths: (inside.abs() + 1.0) * self.epsilon,
            frame,
        };
        let maximum = neighbourhood.ascend(objective, self.steps, self.seed)?;
        let start = maximum.start;
        if start <= -1.0 {
            let expected = "above -1, where the measure of Keskar et al. is defined";
            return Err(FlatnessError::argument("loss", start, expected));
        }
        Ok(KeskarSharpness {
            sharpness: 100.0 * (maximum.value - start) / (1.0 + start),
            epsilon: self.epsilon,
            subspace: self.subspace,
            maximum,
        })
    }
}

/// `A⁺ x = (Aᵀ A)⁺ Aᵀ x`, of an `A` whose columns are the rows of `frame`.
fn coordinates(frame: &Tensor<2>, vector: &Tensor<1>) -> Result<Tensor<1>, FlatnessError> {
    let [dimension, _] = frame.dims();
    let gram = frame.clone().matmul(frame.clone().transpose());
    let products = frame.clone().matmul(vector.clone().unsqueeze_dim::<2>(1));
    let numbers = |data: TensorData| data.iter::<f64>().collect::<Vec<_>>();
    let gram = DMatrix::from_row_slice(dimension, dimension, &numbers(gram.into_data()));
    let products = DVector::from_vec(numbers(products.into_data()));
    // What rounding makes of a zero.
    let rounding = gram.diagonal().amax() * dimension as f64 * epsilon(vector);
    let solved = gram.svd(true, true).solve(&products, rounding);
    let solved = solved.map_err(|_| FlatnessError::NonFinite {
        what: "the random subspace".into(),
    })?;
    let data = TensorData::from(solved.as_slice());
    Ok(Tensor::from_data(data, (&vector.device(), vector.dtype())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    /// What is left of the vector is orthogonal to the subspace, dependent columns or not.
    #[test]
    fn coordinates_leave_a_rest_that_is_orthogonal() {
        let device = crate::device::default_device().unwrap();
        let vector = Tensor::<1>::from_floats([1.0, -2.0, 3.0, 0.5, 4.0], &device);
        for last in [[0.5, 1.0, 1.0, -1.0, 2.0], [2.0, 4.0, -2.0, 0.0, 6.0]] {
            let rows = [[1.0, 2.0, -1.0, 0.0, 3.0], [0.0, 1.0, 1.0, 1.0, -1.0], last];
            let frame = Tensor::<2>::from_floats(rows, &device);
            let found = coordinates(&frame, &vector).unwrap().unsqueeze_dim::<2>(0);
            let rest = vector.clone().unsqueeze_dim::<2>(0) - found.matmul(frame.clone());
            let left = rest
                .matmul(frame.transpose())
                .abs()
                .max()
                .into_scalar::<f64>();
            assert!(left < 1e-4, "{left}");
        }
    }
}
