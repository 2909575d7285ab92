//! The losses: means over the batch, as tensors of one number that gradients flow through.
//!
//! Each gives PyTorch's numbers and gradients with PyTorch's default reduction; the first dimension
//! of every tensor is the batch. None waits for the device.

mod classes;
mod ctc;
mod probabilities;
mod signs;
mod values;

pub(crate) use classes::flat;
pub use classes::{correct, cross_entropy, cross_entropy_dual, multi_margin};
pub use ctc::ctc;
pub use probabilities::{binary_cross_entropy, binary_cross_entropy_with_logits, kl_divergence};
pub use signs::{cosine_embedding, hinge_embedding, margin_ranking, soft_margin};
pub use values::{gaussian_nll, huber, l1, mse, mse_dual, poisson_nll, smooth_l1};
