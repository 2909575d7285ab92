//! Directions to look along, with filters as long as the network's own.

use burn::tensor::Tensor;

use super::finite;
use crate::flatness::{FlatnessError, Objective, Random, filters};

/// Filter normalisation (Li, Xu, Taylor, Studer and Goldstein 2018, "Visualizing the loss landscape
/// of neural nets"): each filter d of a direction is made as long as the network's own filter w,
/// d ‖w‖ / (‖d‖ + 1e-10). So a step of 1 is as large for every network, and surfaces of networks
/// whose weights are of different sizes can be compared.
///
/// A filter is the weights of one output:
///
/// | parameter | shape | one filter for each |
/// |---|---|---|
/// | of a convolution | `[out, in / groups, ..]` | first index |
/// | of a `Linear` | `[in, out]`, as Burn has it | second index, a column |
/// | of a transposed convolution | `[in, out / groups, ..]` | second index |
/// | of an embedding | `[vocabulary, dim]` | row |
/// | of a recurrent or attention layer in PyTorch's layout | `[out, in]` | row |
/// | any other of two dimensions or more | | first index |
/// | of one dimension: biases, scales of a normalisation | | zero, unless asked for |
///
/// Layers are told by the names of their types, Burn's or Kiln's.
///
/// ```
/// use kiln::data::digits;
/// use kiln::flatness::{FilterNormalisation, Objective, Slice};
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
/// let direction = FilterNormalisation::new().random(&objective, 0)?;
/// let profile = Slice::new().points(5).run(&objective, &direction)?;
/// assert_eq!(profile.losses.len(), 5);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FilterNormalisation {
    vectors: bool,
}

impl FilterNormalisation {
    /// Parameters of one dimension are zero in the direction, as the paper's default is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parameters of one dimension take part, each as one filter.
    pub fn with_vectors(self) -> Self {
        FilterNormalisation { vectors: true }
    }

    /// A direction of numbers from N(0, 1), normalised. For a plane, take two seeds: random
    /// directions of many dimensions are nearly orthogonal.
    ///
    /// # Errors
    ///
    /// Weights that are not finite.
    pub fn random(&self, objective: &Objective, seed: u64) -> Result<Tensor<1>, FlatnessError> {
        let direction = Random::new(seed).normal(&objective.weights());
        self.of(objective, &direction)
    }

    /// A direction of your own, an eigenvector say, normalised at the objective's weights.
    ///
    /// # Errors
    ///
    /// A vector of another length, one that is not finite, or weights that are not.
    pub fn of(
        &self,
        objective: &Objective,
        direction: &Tensor<1>,
    ) -> Result<Tensor<1>, FlatnessError> {
        let direction = &objective.own(direction)?;
        finite(direction, "the direction")?;
        let weights = objective.weights();
        finite(&weights, "the weights")?;
        let parts = objective.parameters().into_iter().map(|slice| {
            let range = slice.range.clone();
            let [direction, weights] =
                [direction, &weights].map(|of| of.clone().narrow(0, range.start, range.len()));
            if slice.shape.len() < 2 && !self.vectors {
                return direction.zeros_like();
            }
            let own = filters::lengths(&slice, direction.clone());
            direction * filters::lengths(&slice, weights) / (own + 1e-10)
        });
        Ok(Tensor::cat(parts.collect(), 0))
    }
}
