//! The functions on Burn's tensors: ours where the tensors allow it, else Burn's.

mod images;
mod sequences;

pub use images::{
    add_relu, avg_pool2d, batch_norm, batch_norm_relu, batch_norm_train, batch_norm_train_relu,
    conv_transpose2d, conv2d, conv2d_relu, global_avg_pool, max_pool2d, relu,
};
pub(crate) use images::{max_pool2d_tangent, relu_tangent};
pub use sequences::{attention, cross_entropy, gelu, layer_norm, linear, softmax};

#[cfg(any(feature = "flex", feature = "ndarray"))]
use burn::tensor::{DType, Tensor};

/// Whether a tensor's numbers are single precision and in this program's memory.
#[cfg(any(feature = "flex", feature = "ndarray"))]
fn on_host<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && crate::device::is_host(&tensor.device())
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
fn is_empty<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.shape().num_elements() == 0
}
