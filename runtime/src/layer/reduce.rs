//! Reductions of one dimension of an example.

use burn::module::Module;
use burn::tensor::Tensor;

use crate::tangent::{Dual, Pass, Tangent, linear_layers};

macro_rules! reduction {
    ($(#[$doc:meta])* $name:ident by $reduce:ident) => {
        $(#[$doc])*
        #[derive(Module, Debug)]
        pub struct $name {
            /// The dimension of an example, from 0.
            pub dim: usize,
        }

        impl $name {
            /// The layer over the example's dimension `dim`, from 0.
            pub fn new(dim: usize) -> Self {
                $name { dim }
            }

            /// `[batch, ..]` without the dimension.
            ///
            /// # Panics
            ///
            /// Where there is no such dimension.
            pub fn forward<const D: usize, const O: usize>(&self, input: Tensor<D>) -> Tensor<O> {
                input.$reduce(self.dim + 1).squeeze_dim(self.dim + 1)
            }
        }
    };
}

reduction! {
    /// The mean over one dimension of an example, which goes away.
    Mean by mean_dim
}

reduction! {
    /// The sum over one dimension of an example, which goes away.
    Sum by sum_dim
}

reduction! {
    /// The largest number along one dimension of an example, which goes away. The gradient goes to
    /// that number, of equal ones to the first.
    Max by max_dim
}

linear_layers! {
    Mean: D -> O [const D: usize, const O: usize],
    Sum: D -> O [const D: usize, const O: usize],
}

/// The derivative of the largest number.
impl<const D: usize, const O: usize> Tangent<Dual<D>, Dual<O>> for Max {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<O> {
        let dim = self.dim + 1;
        input.max_dim(dim).linear(|x| x.squeeze_dim(dim))
    }
}
