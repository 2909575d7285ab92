//! The networks with the layers that a declaration is made of.

mod layers {
    pub use kiln::burn::nn::{Embedding, EmbeddingConfig};
    pub use kiln::kernel::add_relu;
    pub use kiln::layer::{
        BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Gelu, GlobalAvgPool, LayerNorm,
        LayerNormConfig, Linear, LinearConfig, MaxPool2d, MaxPool2dConfig, PaddingConfig2d, Relu,
    };

    pub fn causal_attention(
        query: kiln::Tensor<4>,
        key: kiln::Tensor<4>,
        value: kiln::Tensor<4>,
    ) -> kiln::Tensor<4> {
        kiln::kernel::attention(query, key, value, true)
    }

    /// In one pass, as a declaration computes it.
    pub fn norm_relu(norm: &BatchNorm, input: kiln::Tensor<4>) -> kiln::Tensor<4> {
        norm.forward_relu(input)
    }
}

#[path = "cnn.rs"]
mod cnn;
#[path = "mlp.rs"]
mod mlp;
#[path = "resnet20.rs"]
mod resnet20;
#[path = "transformer.rs"]
mod transformer;

pub use cnn::Cnn;
pub use mlp::Mlp;
pub use resnet20::ResNet20;
pub use transformer::Transformer;
