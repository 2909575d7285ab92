//! How large the filters of a network are: the scale of steps that do not depend on it.

use burn::tensor::Tensor;

use super::surface::filters;
use super::{FlatnessError, Objective};

/// For each weight the root mean square of those of its filter, as
/// [`FilterNormalisation`](super::FilterNormalisation) has them, and 0 for parameters of one
/// dimension, biases and scales, which Li et al. (2018) leave where they are.
pub(super) fn sizes(objective: &Objective<'_>) -> Result<Tensor<1>, FlatnessError> {
    let weights = objective.weights();
    let parameters = objective.parameters();
    if parameters.iter().all(|slice| slice.shape.len() < 2) {
        let known = parameters
            .iter()
            .map(|slice| format!("`{}` {:?}", slice.path, slice.shape));
        return Err(FlatnessError::NoParameters {
            asked: "no parameter has filters, two dimensions or more, to measure steps by".into(),
            known: known.collect::<Vec<_>>().join(", "),
        });
    }
    let sizes = parameters.iter().map(|slice| {
        let count = slice.range.len();
        let part = weights.clone().narrow(0, slice.range.start, count);
        if slice.shape.len() < 2 {
            return part.zeros_like();
        }
        let (filters, stride) = filters(slice);
        let shape = [count / (filters * stride).max(1), filters, stride];
        let squares = part.reshape(shape).square();
        let size = squares.mean_dim(0).mean_dim(2).sqrt();
        size.expand(shape).reshape([count])
    });
    Ok(Tensor::cat(sizes.collect(), 0))
}
