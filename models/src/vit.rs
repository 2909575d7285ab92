//! A Vision Transformer.

use kiln::model;

model! {
    /// A Vision Transformer ([Dosovitskiy et al. 2021](https://arxiv.org/abs/2010.11929)): as it
    /// stands ViT-B/16, with 86,567,656 parameters.
    ///
    /// The parameter paths are those of torchvision, but for three, which a file has to be renamed
    /// by: `encoder.layers.0` is its `encoder.layers.encoder_layer_0`, `class_token.weight` its
    /// `class_token`, and `encoder.pos_embedding.weight`, of `[tokens, dim]`, its
    /// `encoder.pos_embedding`, of `[1, tokens, dim]`.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::VitConfig;
    ///
    /// assert_eq!(VitConfig::new().summary()?.params(), 86_567_656);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct Vit {
        /// Height and width of the image, a multiple of `patch`.
        size: usize = 224,
        /// Channels of the image.
        channels: usize = 3,
        /// Height and width of a patch.
        patch: usize = 16,
        /// Width of a token.
        dim: usize = 768,
        /// Layers of the encoder.
        layers: usize = 12,
        /// Heads of the attention; they divide `dim`.
        heads: usize = 12,
        /// Units of the hidden layer behind the attention.
        hidden: usize = 3072,
        /// Share of units that dropout zeroes.
        drop: f64 = 0.0,
        /// Number of classes.
        classes: usize = 1000,
    }

    input image: [channels, size, size];

    let patches: [dim, size / patch, size / patch] =
        image -> conv_proj: conv2d(dim, kernel: patch, stride: patch);
    let tokens = patches
        -> reshape([dim, (size / patch) * (size / patch)]) -> permute([1, 0])
        -> class_token: class_token;
    let encoded = tokens
        -> encoder: {
            pos_embedding: position_embedding -> dropout(drop)
            -> layers: repeat layers {
                residual {
                    ln_1: layer_norm(epsilon: 1e-6)
                    -> self_attention: multi_head_attention(heads) -> dropout(drop)
                }
                -> residual {
                    ln_2: layer_norm(epsilon: 1e-6)
                    -> mlp: { linear(hidden) -> gelu -> dropout(drop) -> linear(dim) -> dropout(drop) }
                }
            }
            -> ln: layer_norm(epsilon: 1e-6)
        };
    let scores = encoded -> select(dim: 0, index: 0) -> heads: { head: linear(classes) };

    output scores;
    loss cross_entropy;
}
