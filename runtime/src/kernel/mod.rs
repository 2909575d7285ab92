//! Operations that Kiln computes itself where that is measured to pay: on the processor, in single
//! precision. On any other device, and in any other precision, these functions are Burn's own.
//!
//! The layers of [`layer`](crate::layer) use them, and so does every declared model. A module
//! written by hand uses those layers, or calls the functions here in place of Burn's of the same
//! name:
//!
//! ```
//! use kiln::burn::tensor::ops::ConvOptions;
//! use kiln::{Tensor, kernel};
//!
//! let device = kiln::device::default_device()?;
//! let images = Tensor::<4>::ones([2, 1, 28, 28], &device);
//! let weights = Tensor::<4>::ones([16, 1, 3, 3], &device);
//! let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
//! let output = kernel::conv2d(images, weights, None, options);
//! assert_eq!(output.dims(), [2, 16, 28, 28]);
//! # Ok::<(), kiln::Error>(())
//! ```
//!
//! Results do not depend on the number of threads, to the bit; on another processor they may. They
//! may differ from Burn's by rounding, since sums are taken in another order and the exponential is
//! a polynomial of our own. Gradients are recorded as Burn records them; the convolution is linear in
//! its input and in its weights, so a tangent through it is two more convolutions, which can be
//! differentiated in their turn.

#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) mod cpu;

mod api;

pub use api::{
    add_relu, attention, avg_pool2d, batch_norm, batch_norm_relu, batch_norm_train,
    batch_norm_train_relu, conv_transpose2d, conv2d, conv2d_relu, cross_entropy, gelu,
    global_avg_pool, layer_norm, linear, max_pool2d, relu, softmax,
};
pub(crate) use api::{max_pool2d_tangent, relu_tangent};
