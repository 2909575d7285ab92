//! Layers that move, split and join dimensions, and compute nothing.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::tangent::linear_layers;

/// Makes one row of each example: `[batch, d1, d2, ..]` to `[batch, d1 * d2 * ..]`.
#[derive(Module, Debug, Default)]
pub struct Flatten {}

impl Flatten {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        Flatten {}
    }

    /// `[batch, d1, d2, ..]` to `[batch, d1 * d2 * ..]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<2> {
        input.flatten(1, -1)
    }
}

/// Gives each example another shape of as many numbers.
#[derive(Module, Debug)]
pub struct Reshape {
    /// The shape of one example; -1 for what the other sizes leave.
    pub shape: Vec<i64>,
}

impl Reshape {
    /// The layer that gives this shape to each example; one size may be -1, for what the others
    /// leave.
    pub fn new(shape: impl Into<Vec<i64>>) -> Self {
        Reshape {
            shape: shape.into(),
        }
    }

    /// `[batch, ..]` to `[batch, shape ..]`.
    ///
    /// # Panics
    ///
    /// Where that is not as many numbers, or not the rank that is asked for.
    pub fn forward<const D: usize, const O: usize>(&self, input: Tensor<D>) -> Tensor<O> {
        let mut shape = [input.dims()[0] as i64; O];
        shape[1..].copy_from_slice(&self.shape);
        input.reshape(shape)
    }
}

/// Puts the dimensions of an example in another order.
#[derive(Module, Debug)]
pub struct Permute {
    /// For each dimension which one it was, from 0 without the batch.
    pub dims: Vec<usize>,
}

impl Permute {
    /// The layer with this order of the example's dimensions, from 0.
    pub fn new(dims: impl Into<Vec<usize>>) -> Self {
        Permute { dims: dims.into() }
    }

    /// `[batch, d1, d2, ..]` with `d1, d2, ..` in another order.
    ///
    /// # Panics
    ///
    /// Where `dims` does not name each dimension once.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let mut order = [0; D];
        for (to, from) in order[1..].iter_mut().zip(&self.dims) {
            *to = from + 1;
        }
        input.permute(order)
    }
}

/// One index of a dimension, which goes away.
#[derive(Module, Debug)]
pub struct Select {
    /// The dimension of an example, from 0.
    pub dim: usize,
    /// Which one of it; below 0 from its end, so that -1 is the last.
    pub index: isize,
}

impl Select {
    /// The layer that takes `index` of the example's dimension `dim`.
    pub fn new(dim: usize, index: isize) -> Self {
        Select { dim, index }
    }

    /// `[batch, ..]` without the dimension.
    ///
    /// # Panics
    ///
    /// Where the dimension has no such index.
    pub fn forward<const D: usize, const O: usize>(&self, input: Tensor<D>) -> Tensor<O> {
        let dim = self.dim + 1;
        let index = if self.index < 0 {
            input.dims()[dim].saturating_add_signed(self.index)
        } else {
            self.index.unsigned_abs()
        };
        input.narrow(dim, index, 1).squeeze_dim(dim)
    }
}

linear_layers! {
    Flatten: D -> 2 [const D: usize],
    Reshape: D -> O [const D: usize, const O: usize],
    Permute: D -> D [const D: usize],
    Select: D -> O [const D: usize, const O: usize],
}
