//! The losses: means over the batch, as tensors of one number that gradients flow through.
//!
//! Each gives PyTorch's numbers and gradients with PyTorch's default reduction; the first dimension
//! of every tensor is the batch. None waits for the device. Beside each
//! stands the same over [`Dual`](crate::tangent::Dual)s, which carries a derivative along a direction.

mod classes;
mod ctc;
mod probabilities;
mod signs;
mod values;

pub(crate) use classes::flat;
pub use classes::{correct, cross_entropy, cross_entropy_dual, multi_margin, multi_margin_dual};
pub use ctc::{ctc, ctc_dual};
pub use probabilities::{
    binary_cross_entropy, binary_cross_entropy_dual, binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_dual, kl_divergence, kl_divergence_dual,
};
pub use signs::{
    cosine_embedding, cosine_embedding_dual, hinge_embedding, hinge_embedding_dual, margin_ranking,
    margin_ranking_dual, soft_margin, soft_margin_dual,
};
pub use values::{
    gaussian_nll, gaussian_nll_dual, huber, huber_dual, l1, l1_dual, mse, mse_dual, poisson_nll,
    poisson_nll_dual, smooth_l1, smooth_l1_dual,
};
