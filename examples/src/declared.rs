//! The deeper networks that are measured, declared: the same as those `by_hand`.

use kiln::prelude::*;

model! {
    /// The network for CIFAR-10 of [He et al. 2016](https://doi.org/10.1109/CVPR.2016.90) with
    /// their option B: where the shape changes, the shortcut is a 1×1 convolution with batch norm.
    pub struct ResNet20;

    input image: [3, 32, 32];

    let features = image
        -> conv2d(16, kernel: 3, padding: 1, bias: false) -> batch_norm -> relu
        -> repeat stage in 0..3 {
            repeat i in 0..3 {
                residual(project:
                    conv2d([16, 32, 64][stage], kernel: 1, stride: 2, bias: false) -> batch_norm
                ) {
                    conv2d(
                        [16, 32, 64][stage], kernel: 3, padding: 1, bias: false,
                        stride: if i == 0 { [1, 2, 2][stage] } else { 1 },
                    )
                    -> batch_norm -> relu
                    -> conv2d([16, 32, 64][stage], kernel: 3, padding: 1, bias: false)
                    -> batch_norm
                } -> relu
            }
        };
    let scores = features -> global_avg_pool -> linear(10);

    output scores;
    loss cross_entropy;
}

model! {
    /// A decoder that predicts the next of 65 characters, after 128 at most.
    pub struct Transformer;

    input characters: int [128];

    let x = characters
        -> embedding(65, 128) -> position_embedding
        -> repeat 4 {
            residual { layer_norm -> multi_head_attention(4, causal: true) }
            -> residual { layer_norm -> linear(512) -> gelu -> linear(128) }
        }
        -> layer_norm;
    let next = x -> linear(65);

    output next;
    loss cross_entropy;
}
