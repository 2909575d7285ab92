//! The embedding of integers.

use burn::nn;
use burn::tensor::{Int, Shape, Tensor};

use super::wrapped::wrapped;
use crate::tangent::{Dual, Pass, Tangent};

/// Burn's [`Embedding`](nn::Embedding), a table with one row for each integer, for inputs of any
/// rank.
#[derive(Clone, Debug)]
pub struct Embedding {
    inner: nn::Embedding,
}

wrapped!(Embedding: nn::Embedding);

impl Embedding {
    /// `[batch, ..]`, each number below the size of the vocabulary, to `[batch, .., dim]`; `E` is
    /// one more than `D`.
    pub fn forward<const D: usize, const E: usize>(&self, input: Tensor<D, Int>) -> Tensor<E> {
        let mut shape = input.dims().to_vec();
        shape.push(self.weight.dims()[1]);
        let rows: Tensor<2, Int> = input.reshape([1, -1]);
        self.inner.forward(rows).reshape(Shape::from(shape))
    }
}

impl<const D: usize, const E: usize> Tangent<Tensor<D, Int>, Dual<E>> for Embedding {
    fn forward_dual(&self, along: Option<&Self>, input: Tensor<D, Int>, _: &mut Pass) -> Dual<E> {
        Dual {
            tangent: along.map(|along| along.forward(input.clone())),
            value: self.forward(input),
        }
    }
}
