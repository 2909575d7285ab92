//! The kernels as operations of Burn's backends on the processor.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use super::conv::{self, Convolution};
use super::host::Host;
use super::record::record;

/// What the kernels compute. Tensors are single precision and their shapes fit: the functions of
/// [`kernel`](super) see to both.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Autodiff
)]
pub trait Kernels: Backend {
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
}

macro_rules! on_host {
    ($(#[$attribute:meta])* $backend:ty) => {
        $(#[$attribute])*
        impl Kernels for $backend {
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

impl<B: Host, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
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
}
