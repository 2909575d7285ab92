//! The networks with Burn's own layers.

mod layers {
    use kiln::Tensor;
    use kiln::burn::tensor::module::{adaptive_avg_pool2d, attention};
    use kiln::burn::tensor::ops::AttentionModuleOptions;

    pub use kiln::burn::nn::activation::{Gelu, Relu};
    pub use kiln::burn::nn::conv::{Conv2d, Conv2dConfig};
    pub use kiln::burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
    pub use kiln::burn::nn::{
        BatchNorm, BatchNormConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear,
        LinearConfig, PaddingConfig2d,
    };

    pub fn causal_attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
        let options = AttentionModuleOptions {
            is_causal: true,
            ..Default::default()
        };
        attention(query, key, value, None, None, options)
    }

    pub fn add_relu(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
        Relu::new().forward(a + b)
    }

    pub fn norm_relu(norm: &BatchNorm, input: Tensor<4>) -> Tensor<4> {
        Relu::new().forward(norm.forward(input))
    }

    /// Burn has it as a function.
    #[derive(Default)]
    pub struct GlobalAvgPool;

    impl GlobalAvgPool {
        pub fn new() -> Self {
            GlobalAvgPool
        }

        pub fn forward(&self, input: Tensor<4>) -> Tensor<2> {
            adaptive_avg_pool2d(input, [1, 1]).flatten(1, 3)
        }
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
