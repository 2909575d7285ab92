//! Activations.

use burn::tensor::Tensor;

use crate::kernel;

/// `max(x, 0)` for each element, computed by [`kernel::relu`]; the shape stays.
#[derive(burn::module::Module, Debug, Default)]
pub struct Relu {}

impl Relu {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        Relu {}
    }

    /// `max(x, 0)` for each element.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        kernel::relu(input)
    }
}
