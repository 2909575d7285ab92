//! Causal self-attention.

use kiln::Tensor;
use kiln::burn::tensor::module::attention;
use kiln::burn::tensor::ops::AttentionModuleOptions;

/// `softmax(Q Kᵀ / √d + mask) V` with a mask that hides what comes later (Vaswani et al. 2017).
///
/// All of shape `[batch, heads, length, d]`.
pub fn causal_attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    let options = AttentionModuleOptions {
        is_causal: true,
        ..Default::default()
    };
    attention(query, key, value, None, None, options)
}
