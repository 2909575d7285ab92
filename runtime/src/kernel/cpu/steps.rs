//! The kernels of a sequence model on a backend's tensors, and their backward passes.

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;

use super::attention::Attention;
use super::cross_entropy::cross_entropy;
use super::gelu;
use super::host::Host;
use super::layer_norm::{Moments, layer_norm, layer_norm_gradients};
use super::record::Step;
use super::softmax::{softmax, softmax_gradient};

/// `x Φ(x)` for each number.
pub fn gelu_forward<B: Host>(input: FloatTensor<B>) -> FloatTensor<B> {
    B::update(input, gelu::gelu)
}

/// What the backward pass of [`gelu_forward`] needs.
#[derive(Clone, Debug)]
pub struct Gelu<B: Host>(pub FloatTensor<B>);

impl<B: Host> Step<B, 1> for Gelu<B> {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [Some(B::update(output, |gradient| {
            gelu::gelu_gradient(gradient, &B::read(&self.0));
        }))]
    }
}

/// The softmax over the last dimension.
pub fn softmax_forward<B: Host>(input: FloatTensor<B>) -> FloatTensor<B> {
    let width = last(&input.shape());
    B::update(input, |values| softmax(values, width))
}

/// What the backward pass of [`softmax_forward`] needs: its output.
#[derive(Clone, Debug)]
pub struct Softmax<B: Host>(pub FloatTensor<B>);

impl<B: Host> Step<B, 1> for Softmax<B> {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        let width = last(&self.0.shape());
        [Some(B::update(output, |gradient| {
            softmax_gradient(gradient, &B::read(&self.0), width);
        }))]
    }
}

/// Layer normalisation over the last dimension, and what its backward pass needs besides its
/// inputs.
pub fn layer_norm_forward<B: Host>(
    input: FloatTensor<B>,
    gamma: &FloatTensor<B>,
    beta: Option<&FloatTensor<B>>,
    epsilon: f32,
) -> (FloatTensor<B>, Arc<[Moments]>) {
    let mut moments = Vec::new();
    let beta = beta.map(|beta| B::read(beta));
    let output = B::update(input, |values| {
        moments = layer_norm(values, &B::read(gamma), beta.as_deref(), epsilon);
    });
    (output, moments.into())
}

/// What the backward pass of [`layer_norm_forward`] needs.
#[derive(Clone, Debug)]
pub struct LayerNorm<B: Host> {
    pub input: FloatTensor<B>,
    pub gamma: FloatTensor<B>,
    pub moments: Arc<[Moments]>,
}

impl<B: Host> LayerNorm<B> {
    fn run(self, output: FloatTensor<B>) -> [FloatTensor<B>; 3] {
        let (mut by_gamma, mut by_beta) = (Vec::new(), Vec::new());
        let by_input = B::update(output, |gradient| {
            let (input, gamma) = (B::read(&self.input), B::read(&self.gamma));
            (by_gamma, by_beta) = layer_norm_gradients(gradient, &input, &gamma, &self.moments);
        });
        let [by_gamma, by_beta] =
            [by_gamma, by_beta].map(|values| B::make(values, self.gamma.shape(), &self.gamma));
        [by_input, by_gamma, by_beta]
    }
}

impl<B: Host> Step<B, 3> for LayerNorm<B> {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        self.run(output).map(Some)
    }
}

impl<B: Host> Step<B, 2> for LayerNorm<B> {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let [by_input, by_gamma, _] = self.run(output);
        [Some(by_input), Some(by_gamma)]
    }
}

/// The mean cross entropy of `[batch, classes]`, and what its backward pass needs.
pub fn cross_entropy_forward<B: Host>(
    scores: FloatTensor<B>,
    classes: &[usize],
    smoothing: f32,
) -> (FloatTensor<B>, CrossEntropy<B>) {
    let mut loss = 0.0;
    let gradient = B::update(scores, |scores| {
        loss = cross_entropy(scores, classes, smoothing);
    });
    (B::make(vec![loss], [1], &gradient), CrossEntropy(gradient))
}

/// What the backward pass of [`cross_entropy_forward`] needs: the gradient by the scores.
#[derive(Clone, Debug)]
pub struct CrossEntropy<B: Host>(FloatTensor<B>);

impl<B: Host> Step<B, 1> for CrossEntropy<B> {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        let factor = B::read(&output).first().copied().unwrap_or_default();
        let gradient = B::update(self.0, |gradient| {
            if factor != 1.0 {
                gradient.iter_mut().for_each(|value| *value *= factor);
            }
        });
        [Some(gradient)]
    }
}

/// Scaled dot-product attention, and the logarithms that its backward pass needs.
pub fn attention_forward<B: Host>(
    [query, key, value]: [&FloatTensor<B>; 3],
    attention: Attention,
) -> (FloatTensor<B>, Arc<[f32]>) {
    let (output, logs) = attention.forward(&B::read(query), &B::read(key), &B::read(value));
    let mut shape = query.shape();
    shape[3] = attention.width.1;
    (B::make(output, shape, query), logs.into())
}

/// What the backward pass of [`attention_forward`] needs.
#[derive(Clone, Debug)]
pub struct Attended<B: Host> {
    pub inputs: [FloatTensor<B>; 3],
    pub output: FloatTensor<B>,
    pub logs: Arc<[f32]>,
    pub attention: Attention,
}

impl<B: Host> Step<B, 3> for Attended<B> {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        let inputs = self.inputs.each_ref().map(|input| B::read(input));
        let [query, key, value] = self.attention.backward(
            &B::read(&output),
            inputs.each_ref().map(|input| &**input),
            &B::read(&self.output),
            &self.logs,
        );
        let [q, k, v] = &self.inputs;
        [(query, q), (key, k), (value, v)]
            .map(|(gradient, like)| Some(B::make(gradient, like.shape(), like)))
    }
}

fn last(shape: &burn::tensor::Shape) -> usize {
    shape.last().copied().unwrap_or(1)
}
