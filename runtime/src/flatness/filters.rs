//! How large the filters of a network are: the scale of steps that do not depend on it.

use burn::tensor::Tensor;

use super::{FlatnessError, Objective, ParameterSlice};

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
        let (filters, _) = filters(slice);
        lengths(slice, part) / ((count / filters.max(1)) as f64).sqrt()
    });
    Ok(Tensor::cat(sizes.collect(), 0))
}

/// For each of a parameter's numbers the length of its filter.
pub(super) fn lengths(slice: &ParameterSlice, numbers: Tensor<1>) -> Tensor<1> {
    let (filters, stride) = filters(slice);
    let count = slice.range.len();
    let shape = [count / (filters * stride).max(1), filters, stride];
    let squares = numbers.reshape(shape).square();
    let lengths = squares.sum_dim(0).sum_dim(2).sqrt();
    lengths.expand(shape).reshape([count])
}

/// How many filters a parameter has, and how many numbers lie from one to the next.
fn filters(parameter: &ParameterSlice) -> (usize, usize) {
    let shape = &parameter.shape;
    let columns = parameter.layer == "Linear" || parameter.layer.starts_with("ConvTranspose");
    let axis = usize::from(columns && shape.len() > 1);
    match shape.len() {
        0 | 1 => (1, 1),
        _ => (
            shape[axis],
            shape[axis + 1..].iter().product::<usize>().max(1),
        ),
    }
}
