//! What is done to each number by itself.

use burn::backend::tensor::FloatTensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::host::Host;
use super::record::Step;

/// Numbers that one thread takes at a time: below that, starting threads costs more than it saves.
pub const SHARE: usize = 1 << 15;

/// `max(x, 0)` of each number; a NaN stays one.
pub fn relu(values: &mut [f32]) {
    values
        .par_chunks_mut(SHARE)
        .for_each(|values| Arch::new().dispatch(Relu(values)));
}

struct Relu<'a>(&'a mut [f32]);

impl WithSimd for Relu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.0 {
            *value = if *value <= 0.0 { 0.0 } else { *value };
        }
    }
}

/// `max(x + y, 0)` of each number, in place of `x`; a NaN stays one.
pub fn add_relu(values: &mut [f32], others: &[f32]) {
    values
        .par_chunks_mut(SHARE)
        .zip(others.par_chunks(SHARE))
        .for_each(|(values, others)| Arch::new().dispatch(AddRelu(values, others)));
}

struct AddRelu<'a>(&'a mut [f32], &'a [f32]);

impl WithSimd for AddRelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (value, other) in self.0.iter_mut().zip(self.1) {
            let sum = *value + other;
            *value = if sum <= 0.0 { 0.0 } else { sum };
        }
    }
}

/// The gradient by the input of a ReLU, in place: 0 where its output is 0.
pub fn relu_gradient(gradient: &mut [f32], output: &[f32]) {
    gradient
        .par_chunks_mut(SHARE)
        .zip(output.par_chunks(SHARE))
        .for_each(|(gradient, output)| Arch::new().dispatch(ReluGradient { gradient, output }));
}

struct ReluGradient<'a> {
    gradient: &'a mut [f32],
    output: &'a [f32],
}

impl WithSimd for ReluGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (gradient, output) in self.gradient.iter_mut().zip(self.output) {
            // The gradient of a NaN stays, as in Burn and PyTorch.
            *gradient = if *output <= 0.0 { 0.0 } else { *gradient };
        }
    }
}

/// What the backward pass of a ReLU needs: its output, which the next layer holds in any case.
#[derive(Clone, Debug)]
pub struct Clipped<B: Host> {
    output: FloatTensor<B>,
}

/// The output of a ReLU, and what its backward pass needs.
pub fn relu_recorded<B: Host>(input: FloatTensor<B>) -> (FloatTensor<B>, Clipped<B>) {
    let output = B::update(input, relu);
    let step = Clipped {
        output: output.clone(),
    };
    (output, step)
}

/// The output of a ReLU of a sum, and what its backward pass needs.
pub fn add_relu_recorded<B: Host>(
    input: FloatTensor<B>,
    other: &FloatTensor<B>,
) -> (FloatTensor<B>, Clipped<B>) {
    let output = B::update(input, |values| add_relu(values, &B::read(other)));
    let step = Clipped {
        output: output.clone(),
    };
    (output, step)
}

/// The tangent of a ReLU, 0 where its `output` is 0, and what its backward pass needs: the same.
pub fn relu_along<B: Host>(
    output: FloatTensor<B>,
    tangent: FloatTensor<B>,
) -> (FloatTensor<B>, Clipped<B>) {
    let step = Clipped { output };
    (step.clone().gradient(tangent), step)
}

impl<B: Host> Clipped<B> {
    fn gradient(self, output: FloatTensor<B>) -> FloatTensor<B> {
        B::update(output, |gradient| {
            relu_gradient(gradient, &B::read(&self.output));
        })
    }
}

impl<B: Host> Step<B, 1> for Clipped<B> {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        [Some(self.gradient(output))]
    }
}

impl<B: Host> Step<B, 2> for Clipped<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let gradient = self.gradient(output);
        wanted.map(|wanted| wanted.then(|| gradient.clone()))
    }
}
