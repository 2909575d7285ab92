//! What a network of images is made of.

use burn::tensor::module::BatchNormTrainOutput;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use burn::tensor::{Int, Tensor, activation, module};

#[cfg(any(feature = "flex", feature = "ndarray"))]
use {
    super::on_host,
    crate::kernel::cpu::conv::Convolution,
    crate::kernel::cpu::extension::Images,
    crate::kernel::cpu::norm::BatchNorm,
    crate::kernel::cpu::pool::{AveragePool, GlobalMean, MaxPool},
    burn::backend::Dispatch,
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

/// Transposed convolution in two dimensions, the adjoint of [`conv2d`] (a "deconvolution", Zeiler et
/// al. 2010): `y[n, o, i s + u d - p, j s + v d - p] += w[c, o, u, v] x[n, c, i, j]`, and `b[o]`
/// everywhere.
///
/// # Shapes
///
/// - `input`: `[batch, channels, height, width]`
/// - `weight`: `[channels, outputs / groups, kernel height, kernel width]`
/// - `bias`: `[outputs]`
/// - result: `[batch, outputs, rows, columns]` with
///   `rows = (height - 1) s - 2 p + d (kernel height - 1) + padding_out + 1`, and columns likewise
///
/// # Panics
///
/// As [Burn's own](module::conv_transpose2d): where the shapes do not fit each other.
pub fn conv_transpose2d(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: ConvTransposeOptions<2>,
) -> Tensor<4> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && on_host(&weight)
        && let Some(adjoint) = Convolution::transposed(input.dims(), weight.dims(), &options)
    {
        let output = Tensor::from_dispatch(Dispatch::convolve_transposed(
            input.into_dispatch(),
            weight.into_dispatch(),
            adjoint,
        ));
        return match bias {
            Some(bias) => output + bias.reshape([1, -1, 1, 1]),
            None => output,
        };
    }
    module::conv_transpose2d(input, weight, bias, options)
}

/// The largest number of each window: `y[n, c, i, j] = max over u, v of
/// x[n, c, i s + u d - p, j s + v d - p]`, where padding counts as minus infinity.
///
/// Its gradient goes to that number; of equal ones to the first, row by row. A NaN is larger than
/// any number.
///
/// # Shapes
///
/// - `input`: `[batch, channels, height, width]`
/// - result: `[batch, channels, rows, columns]`
///
/// # Panics
///
/// As [Burn's own](module::max_pool2d): where no window fits into the padded input.
pub fn max_pool2d(input: Tensor<4>, options: MaxPoolOptions<2>) -> Tensor<4> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && let Some(pool) = MaxPool::new(input.dims(), &options)
    {
        return Tensor::from_dispatch(Dispatch::pool_max(input.into_dispatch(), pool));
    }
    module::max_pool2d(input, options)
}

/// The derivative of [`max_pool2d`] of `input` along `tangent`: of `tangent`, the number that stands
/// where `input` is the largest of its window. Both of one shape.
pub(crate) fn max_pool2d_tangent(
    input: Tensor<4>,
    tangent: Tensor<4>,
    options: MaxPoolOptions<2>,
) -> Tensor<4> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && on_host(&tangent)
        && let Some(pool) = MaxPool::new(input.dims(), &options)
    {
        let (input, tangent) = (input.into_dispatch(), tangent.into_dispatch());
        return Tensor::from_dispatch(Dispatch::pool_along(input, tangent, pool));
    }
    let (output, places) = module::max_pool2d_with_indices(input.inner(), options);
    let places: Tensor<3, Int> = Tensor::from_inner(places).flatten(2, 3);
    let pixels: Tensor<3> = tangent.flatten(2, 3);
    pixels.gather(2, places).reshape(output.dims())
}

/// The mean of each window: `y[n, c, i, j] = 1 / m sum over u, v of
/// x[n, c, i s + u - p, j s + v - p]`, where padding counts as 0, and in the count `m` of numbers
/// only if `count_include_pad` is set.
///
/// # Shapes
///
/// - `input`: `[batch, channels, height, width]`
/// - result: `[batch, channels, rows, columns]`
///
/// # Panics
///
/// As [Burn's own](module::avg_pool2d): where no window fits into the padded input.
pub fn avg_pool2d(input: Tensor<4>, options: AvgPoolOptions<2>) -> Tensor<4> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && let Some(pool) = AveragePool::new(input.dims(), &options)
    {
        return Tensor::from_dispatch(Dispatch::pool_average(input.into_dispatch(), pool));
    }
    module::avg_pool2d(input, options)
}

/// The mean of each channel over height and width.
///
/// # Shapes
///
/// - `input`: `[batch, channels, height, width]`
/// - result: `[batch, channels]`
pub fn global_avg_pool(input: Tensor<4>) -> Tensor<2> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && let Some(mean) = GlobalMean::new(input.dims())
    {
        return Tensor::from_dispatch(Dispatch::pool_mean(input.into_dispatch(), mean));
    }
    let pixels: Tensor<3> = input.flatten(2, 3);
    pixels.mean_dim(2).squeeze_dim(2)
}

/// Batch normalization by the batch's own statistics (Ioffe and Szegedy 2015):
/// `y = (x - mean) / sqrt(variance + epsilon) * gamma + beta`, with the mean and the biased
/// variance of each channel over the batch and over what follows the channels.
///
/// # Shapes
///
/// - `input`: `[batch, channels, ..]`
/// - `gamma`, `beta`: `[channels]`
/// - result: the output, of the input's shape, and the statistics, `[channels]` each, through which
///   no gradient goes
///
/// # Panics
///
/// As [Burn's own](module::batch_norm_train): where the shapes do not fit each other.
pub fn batch_norm_train<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<D> {
    normalize_by_batch(input, gamma, beta, epsilon, false)
}

/// [`batch_norm_train`], and every number of the output below 0 becomes 0.
///
/// # Panics
///
/// As [`batch_norm_train`].
pub fn batch_norm_train_relu<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormTrainOutput<D> {
    normalize_by_batch(input, gamma, beta, epsilon, true)
}

fn normalize_by_batch<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    relu: bool,
) -> BatchNormTrainOutput<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && are_channels([&gamma, &beta], &input)
        && let Some(norm) = BatchNorm::new(&input.dims(), epsilon, relu)
    {
        let (output, mean, variance) = Dispatch::normalize_by_batch(
            input.into_dispatch(),
            gamma.into_dispatch(),
            beta.into_dispatch(),
            norm,
        );
        return BatchNormTrainOutput {
            output: Tensor::from_dispatch(output),
            mean: Tensor::from_dispatch(mean),
            variance: Tensor::from_dispatch(variance),
        };
    }
    let mut result = module::batch_norm_train(input, gamma, beta, epsilon);
    if relu {
        result.output = activation::relu(result.output);
    }
    result
}

/// Batch normalization by given statistics:
/// `y = (x - mean) / sqrt(variance + epsilon) * gamma + beta`.
///
/// # Shapes
///
/// - `input`: `[batch, channels, ..]`
/// - `gamma`, `beta`, `mean`, `variance`: `[channels]`
/// - result: as the input
///
/// # Panics
///
/// As [Burn's own](module::batch_norm): where the shapes do not fit each other.
pub fn batch_norm<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    normalize(input, [gamma, beta, mean, variance], epsilon, false)
}

/// [`batch_norm`], and every number of the output below 0 becomes 0.
///
/// # Panics
///
/// As [`batch_norm`].
pub fn batch_norm_relu<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    normalize(input, [gamma, beta, mean, variance], epsilon, true)
}

fn normalize<const D: usize>(
    input: Tensor<D>,
    channels: [Tensor<1>; 4],
    epsilon: f64,
    relu: bool,
) -> Tensor<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input)
        && are_channels(channels.each_ref(), &input)
        && let Some(norm) = BatchNorm::new(&input.dims(), epsilon, relu)
    {
        let input = input.into_dispatch();
        let [gamma, beta, mean, variance] = channels.map(Tensor::into_dispatch);
        return Tensor::from_dispatch(Dispatch::normalize(
            input, gamma, beta, mean, variance, norm,
        ));
    }
    let [gamma, beta, mean, variance] = channels;
    let output = module::batch_norm(input, gamma, beta, mean, variance, epsilon);
    if relu {
        activation::relu(output)
    } else {
        output
    }
}

/// `max(x, 0)` for each number, in place where nothing else needs the input; the gradient of what
/// is not above 0 is 0.
pub fn relu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input) {
        return Tensor::from_dispatch(Dispatch::clip(input.into_dispatch()));
    }
    activation::relu(input)
}

/// The derivative of [`relu`] along `tangent`, by its `output`: 0 where that is 0.
pub(crate) fn relu_tangent<const D: usize>(output: Tensor<D>, tangent: Tensor<D>) -> Tensor<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&output) && on_host(&tangent) {
        let (output, tangent) = (output.into_dispatch(), tangent.into_dispatch());
        return Tensor::from_dispatch(Dispatch::clip_along(output, tangent));
    }
    let off = output.inner().lower_equal_scalar(0.0);
    tangent.mask_fill(Tensor::from_inner(off), 0.0)
}

/// `max(x + y, 0)` for each number, in place of `x` where nothing else needs it; as at the end of a
/// residual block.
///
/// # Panics
///
/// Where the shapes can not be broadcast to each other.
pub fn add_relu<const D: usize>(input: Tensor<D>, other: Tensor<D>) -> Tensor<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input) && on_host(&other) && input.dims() == other.dims() {
        return Tensor::from_dispatch(Dispatch::clip_sum(
            input.into_dispatch(),
            other.into_dispatch(),
        ));
    }
    activation::relu(input + other)
}

/// Whether each of these holds one number for each channel of the input.
#[cfg(any(feature = "flex", feature = "ndarray"))]
fn are_channels<const N: usize, const D: usize>(each: [&Tensor<1>; N], input: &Tensor<D>) -> bool {
    let channels = input.dims().get(1).copied();
    let fits = |tensor: &Tensor<1>| on_host(tensor) && Some(tensor.dims()[0]) == channels;
    each.into_iter().all(fits)
}
