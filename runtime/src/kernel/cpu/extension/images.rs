//! What a network of images is made of, as operations of Burn's backends on the processor.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use crate::kernel::cpu::conv::{self, Convolution};
use crate::kernel::cpu::host::Host;
use crate::kernel::cpu::norm::{self, BatchNorm};
use crate::kernel::cpu::pointwise;
use crate::kernel::cpu::pool::{self, AveragePool, GlobalMean, MaxPool};
use crate::kernel::cpu::record::record;

/// What the kernels compute. Tensors are single precision and their shapes fit: the functions of
/// [`kernel`](crate::kernel) see to both.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Autodiff
)]
pub trait Images: Backend {
    fn convolve(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;

    fn convolve_with_bias(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;

    fn convolve_transposed(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self>;

    fn pool_max(input: FloatTensor<Self>, pool: MaxPool) -> FloatTensor<Self>;

    fn pool_along(
        input: FloatTensor<Self>,
        tangent: FloatTensor<Self>,
        pool: MaxPool,
    ) -> FloatTensor<Self>;

    fn pool_average(input: FloatTensor<Self>, pool: AveragePool) -> FloatTensor<Self>;

    fn pool_mean(input: FloatTensor<Self>, mean: GlobalMean) -> FloatTensor<Self>;

    fn normalize_by_batch(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        norm: BatchNorm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        norm: BatchNorm,
    ) -> FloatTensor<Self>;

    fn clip(input: FloatTensor<Self>) -> FloatTensor<Self>;

    fn clip_along(output: FloatTensor<Self>, tangent: FloatTensor<Self>) -> FloatTensor<Self>;

    fn clip_sum(input: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self>;
}

macro_rules! on_host {
    ($(#[$attribute:meta])* $backend:ty) => {
        $(#[$attribute])*
        impl Images for $backend {
            fn convolve(
                input: FloatTensor<Self>,
                kernel: FloatTensor<Self>,
                convolution: Convolution,
            ) -> FloatTensor<Self> {
                conv::forward::<Self>(&input, &kernel, None, &convolution)
            }

            fn convolve_with_bias(
                input: FloatTensor<Self>,
                kernel: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                convolution: Convolution,
            ) -> FloatTensor<Self> {
                conv::forward::<Self>(&input, &kernel, Some(&bias), &convolution)
            }

            fn convolve_transposed(
                input: FloatTensor<Self>,
                kernel: FloatTensor<Self>,
                convolution: Convolution,
            ) -> FloatTensor<Self> {
                conv::transposed::<Self>(&input, &kernel, &convolution)
            }

            fn pool_max(input: FloatTensor<Self>, pool: MaxPool) -> FloatTensor<Self> {
                pool::max::<Self>(&input, pool).0
            }

            fn pool_along(
                input: FloatTensor<Self>,
                tangent: FloatTensor<Self>,
                pool: MaxPool,
            ) -> FloatTensor<Self> {
                pool::along::<Self>(&input, &tangent, pool).0
            }

            fn pool_average(input: FloatTensor<Self>, pool: AveragePool) -> FloatTensor<Self> {
                pool::average::<Self>(&input, &pool)
            }

            fn pool_mean(input: FloatTensor<Self>, mean: GlobalMean) -> FloatTensor<Self> {
                pool::mean::<Self>(&input, &mean)
            }

            fn normalize_by_batch(
                input: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                norm: BatchNorm,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                norm::trained::<Self>(input, &gamma, &beta, norm)
            }

            fn normalize(
                input: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                mean: FloatTensor<Self>,
                variance: FloatTensor<Self>,
                norm: BatchNorm,
            ) -> FloatTensor<Self> {
                norm::frozen::<Self>(input, [&gamma, &beta, &mean, &variance], norm)
            }

            fn clip(input: FloatTensor<Self>) -> FloatTensor<Self> {
                <Self as Host>::update(input, pointwise::relu)
            }

            fn clip_along(
                output: FloatTensor<Self>,
                tangent: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                pointwise::relu_along::<Self>(output, tangent).0
            }

            fn clip_sum(input: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
                pointwise::add_relu_recorded::<Self>(input, &other).0
            }
        }
    };
}

#[cfg(feature = "flex")]
on_host!(burn::backend::Flex);
#[cfg(feature = "ndarray")]
on_host!(
    #[allow(deprecated)]
    burn::backend::NdArray
);

impl<B: Host, C: CheckpointStrategy> Images for Autodiff<B, C> {
    fn convolve(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (kernel, kernel_node) = kernel.into_parts();
        record::<B, C, _, 2>([input_node, kernel_node], || {
            conv::forward_recorded::<B>(input, kernel, None, convolution)
        })
    }

    fn convolve_with_bias(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (kernel, kernel_node) = kernel.into_parts();
        let (bias, bias_node) = bias.into_parts();
        record::<B, C, _, 3>([input_node, kernel_node, bias_node], || {
            conv::forward_recorded::<B>(input, kernel, Some(bias), convolution)
        })
    }

    fn convolve_transposed(
        input: FloatTensor<Self>,
        kernel: FloatTensor<Self>,
        convolution: Convolution,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (kernel, kernel_node) = kernel.into_parts();
        record::<B, C, _, 2>([input_node, kernel_node], || {
            let output = conv::transposed::<B>(&input, &kernel, &convolution);
            let step = conv::Transposed {
                input,
                kernel,
                convolution,
            };
            (output, step)
        })
    }

    fn pool_max(input: FloatTensor<Self>, pool: MaxPool) -> FloatTensor<Self> {
        let (input, node) = input.into_parts();
        record::<B, C, _, 1>([node], || pool::max::<B>(&input, pool))
    }

    fn pool_along(
        input: FloatTensor<Self>,
        tangent: FloatTensor<Self>,
        pool: MaxPool,
    ) -> FloatTensor<Self> {
        // Which number is the largest does not change with it: no gradient goes there.
        let (input, _) = input.into_parts();
        let (tangent, node) = tangent.into_parts();
        record::<B, C, _, 1>([node], || pool::along::<B>(&input, &tangent, pool))
    }

    fn pool_average(input: FloatTensor<Self>, pool: AveragePool) -> FloatTensor<Self> {
        let (input, node) = input.into_parts();
        record::<B, C, _, 1>([node], || (pool::average::<B>(&input, &pool), pool))
    }

    fn pool_mean(input: FloatTensor<Self>, mean: GlobalMean) -> FloatTensor<Self> {
        let (input, node) = input.into_parts();
        record::<B, C, _, 1>([node], || (pool::mean::<B>(&input, &mean), mean))
    }

    fn normalize_by_batch(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        norm: BatchNorm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (input, input_node) = input.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let ((output, mean, variance), step) =
            norm::trained_recorded::<B>(input, &gamma, &beta, norm);
        let nodes = [input_node, gamma_node, beta_node];
        let output = record::<B, C, _, 3>(nodes, || (output, step));
        // Without a node in the graph: no gradient goes through them.
        (
            output,
            <FloatTensor<Self>>::new(mean),
            <FloatTensor<Self>>::new(variance),
        )
    }

    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        norm: BatchNorm,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let (mean, mean_node) = mean.into_parts();
        let (variance, variance_node) = variance.into_parts();
        let nodes = [input_node, gamma_node, beta_node, mean_node, variance_node];
        record::<B, C, _, 5>(nodes, || {
            norm::frozen_recorded::<B>(input, [&gamma, &beta, &mean, &variance], norm)
        })
    }

    fn clip(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let (input, node) = input.into_parts();
        record::<B, C, _, 1>([node], || pointwise::relu_recorded::<B>(input))
    }

    fn clip_along(output: FloatTensor<Self>, tangent: FloatTensor<Self>) -> FloatTensor<Self> {
        // Where it is off does not change: no gradient goes there.
        let (output, _) = output.into_parts();
        let (tangent, node) = tangent.into_parts();
        record::<B, C, _, 1>([node], || pointwise::relu_along::<B>(output, tangent))
    }

    fn clip_sum(input: FloatTensor<Self>, other: FloatTensor<Self>) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (other, other_node) = other.into_parts();
        record::<B, C, _, 2>([input_node, other_node], || {
            pointwise::add_relu_recorded::<B>(input, &other)
        })
    }
}
