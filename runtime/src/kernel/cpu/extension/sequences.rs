//! What a network of sequences is made of, as operations of Burn's backends on the processor.

use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use crate::kernel::cpu::attention::Attention;
use crate::kernel::cpu::host::Host;
use crate::kernel::cpu::record::record;
use crate::kernel::cpu::{linear, steps};

/// What the kernels compute. Tensors are single precision and their shapes fit: the functions of
/// [`kernel`](crate::kernel) see to both.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Autodiff
)]
pub trait Sequences: Backend {
    fn gelu(input: FloatTensor<Self>) -> FloatTensor<Self>;

    fn softmax(input: FloatTensor<Self>) -> FloatTensor<Self>;

    fn layer_norm(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;

    fn layer_norm_with_bias(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;

    fn linear_map(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    fn linear_map_with_bias(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn cross_entropy(
        scores: FloatTensor<Self>,
        classes: Vec<usize>,
        smoothing: f32,
    ) -> FloatTensor<Self>;

    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        attention: Attention,
    ) -> FloatTensor<Self>;
}

macro_rules! on_host {
    ($(#[$attribute:meta])* $backend:ty) => {
        $(#[$attribute])*
        impl Sequences for $backend {
            fn gelu(input: FloatTensor<Self>) -> FloatTensor<Self> {
                steps::gelu_forward::<Self>(input)
            }

            fn softmax(input: FloatTensor<Self>) -> FloatTensor<Self> {
                steps::softmax_forward::<Self>(input)
            }

            fn layer_norm(
                input: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                epsilon: f32,
            ) -> FloatTensor<Self> {
                steps::layer_norm_forward::<Self>(input, &gamma, None, epsilon).0
            }

            fn layer_norm_with_bias(
                input: FloatTensor<Self>,
                gamma: FloatTensor<Self>,
                beta: FloatTensor<Self>,
                epsilon: f32,
            ) -> FloatTensor<Self> {
                steps::layer_norm_forward::<Self>(input, &gamma, Some(&beta), epsilon).0
            }

            fn linear_map(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
                linear::forward::<Self>(input, weight, None)
            }

            fn linear_map_with_bias(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                linear::forward::<Self>(input, weight, Some(&bias))
            }

            fn cross_entropy(
                scores: FloatTensor<Self>,
                classes: Vec<usize>,
                smoothing: f32,
            ) -> FloatTensor<Self> {
                steps::cross_entropy_forward::<Self>(scores, &classes, smoothing).0
            }

            fn attend(
                query: FloatTensor<Self>,
                key: FloatTensor<Self>,
                value: FloatTensor<Self>,
                attention: Attention,
            ) -> FloatTensor<Self> {
                steps::attention_forward::<Self>([&query, &key, &value], attention).0
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

impl<B: Host, C: CheckpointStrategy> Sequences for Autodiff<B, C> {
    fn gelu(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        record::<B, C, _, 1>([input_node], || {
            (
                steps::gelu_forward::<B>(input.clone()),
                steps::Gelu::<B>(input),
            )
        })
    }

    fn softmax(input: FloatTensor<Self>) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        record::<B, C, _, 1>([input_node], || {
            let output = steps::softmax_forward::<B>(input);
            (output.clone(), steps::Softmax::<B>(output))
        })
    }

    fn layer_norm(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        record::<B, C, _, 2>([input_node, gamma_node], || {
            let (output, moments) =
                steps::layer_norm_forward::<B>(input.clone(), &gamma, None, epsilon);
            let step = steps::LayerNorm::<B> {
                input,
                gamma,
                moments,
            };
            (output, step)
        })
    }

    fn layer_norm_with_bias(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        record::<B, C, _, 3>([input_node, gamma_node, beta_node], || {
            let (output, moments) =
                steps::layer_norm_forward::<B>(input.clone(), &gamma, Some(&beta), epsilon);
            let step = steps::LayerNorm::<B> {
                input,
                gamma,
                moments,
            };
            (output, step)
        })
    }

    fn linear_map(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (weight, weight_node) = weight.into_parts();
        record::<B, C, _, 2>([input_node, weight_node], || {
            let output = linear::forward::<B>(input.clone(), weight.clone(), None);
            (output, linear::Linear::<B> { input, weight })
        })
    }

    fn linear_map_with_bias(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        record::<B, C, _, 3>([input_node, weight_node, bias_node], || {
            let output = linear::forward::<B>(input.clone(), weight.clone(), Some(&bias));
            (output, linear::Linear::<B> { input, weight })
        })
    }

    fn cross_entropy(
        scores: FloatTensor<Self>,
        classes: Vec<usize>,
        smoothing: f32,
    ) -> FloatTensor<Self> {
        let (scores, scores_node) = scores.into_parts();
        record::<B, C, _, 1>([scores_node], || {
            steps::cross_entropy_forward::<B>(scores, &classes, smoothing)
        })
    }

    fn attend(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        attention: Attention,
    ) -> FloatTensor<Self> {
        let (query, query_node) = query.into_parts();
        let (key, key_node) = key.into_parts();
        let (value, value_node) = value.into_parts();
        record::<B, C, _, 3>([query_node, key_node, value_node], || {
            let inputs = [query, key, value];
            let (output, logs) = steps::attention_forward::<B>(inputs.each_ref(), attention);
            let step = steps::Attended::<B> {
                inputs,
                output: output.clone(),
                logs,
                attention,
            };
            (output, step)
        })
    }
}
