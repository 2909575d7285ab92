//! Relatives of the softmax, over the last dimension.

use burn::tensor::Tensor;

use super::activation;
use crate::kernel;

activation! {
    /// `x_i - log sum_j exp(x_j)` over the last dimension, as PyTorch's `log_softmax`.
    LogSoftmax |input| burn::tensor::activation::log_softmax(input, D - 1)
}

activation! {
    /// `exp(-x_i) / sum_j exp(-x_j)` over the last dimension, as PyTorch's `softmin`.
    Softmin |input| kernel::softmax(input.neg())
}
