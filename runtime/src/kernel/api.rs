//! The functions on Burn's tensors: ours where the tensors allow it, else Burn's.

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, activation, module};

#[cfg(any(feature = "flex", feature = "ndarray"))]
use {
    super::{conv::Convolution, extension::Kernels},
    burn::backend::Dispatch,
    burn::tensor::DType,
};

/// Convolution in two dimensions (cross-correlation, as everywhere in the field):
/// `y[n, o, i, j] = b[o] + sum over c, u, v of w[o, c, u, v] x[n, c, i s + u d - p, j s + v d - p]`.
///
/// # Shapes
///
/// - `input`: `[batch, channels, height, width]`
/// - `weight`: `[outputs, channels / groups, kernel height, kernel width]`
/// - `bias`: `[outputs]`
/// - result: `[batch, outputs, height, width]`
///
/// # Panics
///
/// As [Burn's own](module::conv2d): where the shapes do not fit each other.
pub fn conv2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    convolve(input, weight, bias, options, false)
}

/// [`conv2d`], and every number below 0 becomes 0: `max(conv2d(..), 0)` in one pass.
///
/// # Panics
///
/// As [`conv2d`].
pub fn conv2d_relu(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    convolve(input, weight, bias, options, true)
}

fn convolve(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvOptions<2>,
    relu: bool,
) -> Tensor<4> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && on_host(&weight)
        && bias
            .as_ref()
            .is_none_or(|bias| on_host(bias) && bias.dims()[0] == weight.dims()[0])
        && let Some(convolution) = Convolution::new(input.dims(), weight.dims(), &options, relu)
    {
        let (input, weight) = (input.into_dispatch(), weight.into_dispatch());
        return Tensor::from_dispatch(match bias {
            Some(bias) => {
                Dispatch::convolve_with_bias(input, weight, bias.into_dispatch(), convolution)
            }
            None => Dispatch::convolve(input, weight, convolution),
        });
    }
    let output = module::conv2d(input, weight, bias, options);
    if relu {
        activation::relu(output)
    } else {
        output
    }
}

/// Whether a tensor's numbers are single precision and in this program's memory.
#[cfg(any(feature = "flex", feature = "ndarray"))]
fn on_host<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && crate::device::is_host(&tensor.device())
}
