//! What a network of sequences is made of.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_softmax;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{DType, Int, Tensor, activation, module};

#[cfg(any(feature = "flex", feature = "ndarray"))]
use {
    super::{is_empty, on_host},
    crate::kernel::cpu::{attention::Attention, extension::Sequences},
    burn::backend::Dispatch,
};

/// `x Φ(x)` with the normal distribution function `Φ(x) = (1 + erf(x / √2)) / 2`, for each number
/// (Hendrycks and Gimpel 2016); the shape stays.
pub fn gelu<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input) {
        return Tensor::from_dispatch(Dispatch::gelu(input.into_dispatch()));
    }
    let distribution = (input.clone() * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    input * distribution
}

/// `exp(x_i) / sum_j exp(x_j)` over the last dimension; the shape stays.
pub fn softmax<const D: usize>(input: Tensor<D>) -> Tensor<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&input) && !is_empty(&input) {
        return Tensor::from_dispatch(Dispatch::softmax(input.into_dispatch()));
    }
    activation::softmax(input, D - 1)
}

/// Layer normalisation over the last dimension (Ba, Kiros and Hinton 2016):
/// `(x - mean) / sqrt(variance + epsilon) gamma + beta`.
///
/// # Shapes
///
/// - `input`: `[.., width]`
/// - `gamma`, `beta`: `[width]`
/// - result: as `input`
///
/// # Panics
///
/// As [Burn's own](module::layer_norm): where the shapes do not fit each other.
pub fn layer_norm<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Option<Tensor<1>>,
    epsilon: f64,
) -> Tensor<D> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    {
        let width = input.dims()[D - 1];
        let fits = |vector: &Tensor<1>| on_host(vector) && vector.dims() == [width];
        if on_host(&input) && !is_empty(&input) && fits(&gamma) && beta.as_ref().is_none_or(fits) {
            let (input, gamma) = (input.into_dispatch(), gamma.into_dispatch());
            let epsilon = epsilon as f32;
            return Tensor::from_dispatch(match beta {
                Some(beta) => {
                    Dispatch::layer_norm_with_bias(input, gamma, beta.into_dispatch(), epsilon)
                }
                None => Dispatch::layer_norm(input, gamma, epsilon),
            });
        }
    }
    module::layer_norm(input, gamma, beta, epsilon)
}

/// The linear map `y = x W + b` of the last dimension.
///
/// # Shapes
///
/// - `input`: `[.., inputs]`
/// - `weight`: `[inputs, outputs]`
/// - `bias`: `[outputs]`
/// - result: `[.., outputs]`
///
/// # Panics
///
/// As [Burn's own](module::linear): where the shapes do not fit each other.
pub fn linear<const D: usize>(
    input: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let (shape, [inputs, _]) = (input.dims(), weight.dims());
    if shape[..D - 1].contains(&0) && shape[D - 1] == inputs {
        // Burn's flex 0.22.1 reads behind the end of a batch of no matrices. Every map of no rows
        // gives none: this one needs no product, and each part has its gradient through it.
        let output = input.sum_dim(D - 1) * weight.sum_dim(0).unsqueeze();
        return match bias {
            Some(bias) => output + bias.unsqueeze(),
            None => output,
        };
    }
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    {
        let mut shape = input.dims();
        let [inputs, outputs] = weight.dims();
        if on_host(&input)
            && on_host(&weight)
            && shape[D - 1] == inputs
            && !is_empty(&input)
            && !is_empty(&weight)
            && bias
                .as_ref()
                .is_none_or(|bias| on_host(bias) && bias.dims() == [outputs])
        {
            let rows = input.shape().num_elements() / inputs;
            let input = input.reshape([rows, inputs]).into_dispatch();
            let weight = weight.into_dispatch();
            let output = Tensor::<2>::from_dispatch(match bias {
                Some(bias) => Dispatch::linear_map_with_bias(input, weight, bias.into_dispatch()),
                None => Dispatch::linear_map(input, weight),
            });
            shape[D - 1] = outputs;
            return output.reshape(shape);
        }
    }
    module::linear(input, weight, bias)
}

/// The mean cross entropy between scores and classes:
/// `-(1/B) sum_i sum_c q_ic log softmax(output_i)_c` with
/// `q_ic = (1 - label_smoothing) [c = target_i] + label_smoothing / classes`
/// (Szegedy et al. 2016).
///
/// # Shapes
///
/// - `output`: `[batch, classes]`
/// - `target`: `[batch]`, each below `classes`
/// - result: `[1]`
///
/// # Panics
///
/// As [Burn's own](CrossEntropyLossConfig): where the shapes do not fit each other, or there is no
/// such class.
pub fn cross_entropy(output: Tensor<2>, target: Tensor<1, Int>, label_smoothing: f64) -> Tensor<1> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    let [batch, classes] = output.dims();
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if on_host(&output) && target.dims() == [batch] && (0.0..=1.0).contains(&label_smoothing) {
        // The targets lie in memory already: this waits for nothing.
        let target = target.to_data();
        let target: Vec<usize> = target
            .iter::<i64>()
            .filter_map(|class| usize::try_from(class).ok())
            .filter(|class| *class < classes)
            .collect();
        if batch > 0 && target.len() == batch {
            let output = output.into_dispatch();
            let smoothing = label_smoothing as f32;
            return Tensor::from_dispatch(Dispatch::cross_entropy(output, target, smoothing));
        }
    }
    // Burn's layer takes the smoothing in single precision.
    if label_smoothing > 0.0 && output.dtype() == DType::F64 {
        let [_, classes] = output.dims();
        let log = log_softmax(output, 1);
        let right = log.clone().gather(1, target.unsqueeze_dim(1));
        let others = log.sum_dim(1) * (label_smoothing / classes as f64);
        return -(right * (1.0 - label_smoothing) + others).mean();
    }
    let smoothing = (label_smoothing > 0.0).then_some(label_smoothing as f32);
    let config = CrossEntropyLossConfig::new().with_smoothing(smoothing);
    config.init(&output.device()).forward(output, target)
}

/// Scaled dot-product attention (Vaswani et al. 2017): `softmax(Q K' / sqrt(width)) V` for each
/// head. Where it is `causal`, a query sees the keys up to its own place, and the last query is at
/// the last key's.
///
/// # Shapes
///
/// - `query`: `[batch, heads, queries, width]`
/// - `key`: `[batch, heads, keys, width]`
/// - `value`: `[batch, heads, keys, value width]`
/// - result: `[batch, heads, queries, value width]`
///
/// # Panics
///
/// As [Burn's own](module::attention): where the shapes do not fit each other.
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, causal: bool) -> Tensor<4> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    {
        let [batch, heads, queries, width] = query.dims();
        let [.., keys, value_width] = value.dims();
        let all = [&query, &key, &value];
        if all
            .iter()
            .all(|tensor| on_host(tensor) && !is_empty(tensor))
            && key.dims() == [batch, heads, keys, width]
            && value.dims() == [batch, heads, keys, value_width]
        {
            let attention = Attention {
                heads: batch * heads,
                length: (queries, keys),
                width: (width, value_width),
                causal,
            };
            return Tensor::from_dispatch(Dispatch::attend(
                query.into_dispatch(),
                key.into_dispatch(),
                value.into_dispatch(),
                attention,
            ));
        }
    }
    let options = AttentionModuleOptions {
        is_causal: causal,
        ..AttentionModuleOptions::default()
    };
    module::attention(query, key, value, None, None, options)
}
