//! Relatives of the softmax, over the last dimension.

use burn::tensor::Tensor;

use super::activation;
use crate::tangent::{Dual, Pass, Tangent, value_of};

activation! {
    /// `x_i - log sum_j exp(x_j)` over the last dimension, as PyTorch's `log_softmax`.
    LogSoftmax |input| input.log_softmax()
}

activation! {
    /// `exp(-x_i) / sum_j exp(-x_j)` over the last dimension, as PyTorch's `softmin`.
    Softmin |input| (-input).softmax()
}
