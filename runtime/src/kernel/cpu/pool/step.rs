//! The poolings on a backend's tensors, and their backward passes. None keeps its input.

use burn::backend::tensor::FloatTensor;

use super::{AveragePool, GlobalMean, MaxPool};
use crate::kernel::cpu::host::Host;
use crate::kernel::cpu::record::Step;

/// The largest number of each window.
pub fn max<B: Host>(input: &FloatTensor<B>, pool: MaxPool) -> (FloatTensor<B>, MaxPooled) {
    let (output, indices) = pool.forward(&B::read(input));
    let output = B::make(output, pool.output(), input);
    (output, MaxPooled { indices, pool })
}

/// Of `tangent` what stands where `input` is the largest of each window.
pub fn along<B: Host>(
    input: &FloatTensor<B>,
    tangent: &FloatTensor<B>,
    pool: MaxPool,
) -> (FloatTensor<B>, MaxPooled) {
    let (_, indices) = pool.forward(&B::read(input));
    let output = pool.pick(&B::read(tangent), &indices);
    let output = B::make(output, pool.output(), tangent);
    (output, MaxPooled { indices, pool })
}

/// What the backward pass of a max pooling needs.
#[derive(Clone, Debug)]
pub struct MaxPooled {
    indices: Vec<u8>,
    pool: MaxPool,
}

impl<B: Host> Step<B, 1> for MaxPooled {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        let gradient = self.pool.backward(&B::read(&output), &self.indices);
        [Some(B::make(gradient, self.pool.input(), &output))]
    }
}

/// The mean of each window.
pub fn average<B: Host>(input: &FloatTensor<B>, pool: &AveragePool) -> FloatTensor<B> {
    B::make(pool.forward(&B::read(input)), pool.output(), input)
}

impl<B: Host> Step<B, 1> for AveragePool {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        let gradient = self.backward(&B::read(&output));
        [Some(B::make(gradient, self.input(), &output))]
    }
}

/// The mean of each plane.
pub fn mean<B: Host>(input: &FloatTensor<B>, mean: &GlobalMean) -> FloatTensor<B> {
    B::make(mean.forward(&B::read(input)), mean.output(), input)
}

impl<B: Host> Step<B, 1> for GlobalMean {
    fn gradients(self, output: FloatTensor<B>, _: [bool; 1]) -> [Option<FloatTensor<B>>; 1] {
        let gradient = self.backward(&B::read(&output));
        [Some(B::make(gradient, self.input(), &output))]
    }
}
