//! Global pooling: one number for each channel.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent, linear_layers};

/// The mean of each channel: `[batch, channels, ..]` to `[batch, channels]`.
#[derive(Module, Debug, Default)]
pub struct GlobalAvgPool {}

impl GlobalAvgPool {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        GlobalAvgPool {}
    }

    /// `[batch, channels, ..]` to `[batch, channels]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<2> {
        let dims = input.dims();
        kernel::global_avg_pool(input.reshape([dims[0], dims[1], 1, dims[2..].iter().product()]))
    }
}

/// The largest number of each channel: `[batch, channels, ..]` to `[batch, channels]`. Its gradient
/// goes to that number, of equal ones to the first.
#[derive(Module, Debug, Default)]
pub struct GlobalMaxPool {}

impl GlobalMaxPool {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        GlobalMaxPool {}
    }

    /// `[batch, channels, ..]` to `[batch, channels]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<2> {
        let dims = input.dims();
        let rows: Tensor<3> = input.reshape([dims[0], dims[1], dims[2..].iter().product()]);
        rows.max_dim(2).squeeze_dim(2)
    }
}

linear_layers!(GlobalAvgPool: D -> 2 [const D: usize]);

/// The derivative of the largest number.
impl<const D: usize> Tangent<Dual<D>, Dual<2>> for GlobalMaxPool {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<2> {
        let dims = input.dims();
        let rows = input.reshape([dims[0], dims[1], dims[2..].iter().product()]);
        rows.max_dim(2).linear(|x: Tensor<3>| x.squeeze_dim(2))
    }
}
