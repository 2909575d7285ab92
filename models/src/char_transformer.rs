//! A transformer that predicts characters.

use kiln::model;

model! {
    /// A decoder that predicts the next character of a text, in the manner of
    /// [GPT-2](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf):
    /// norms before attention and dense layers, learned positions, no biases.
    ///
    /// As it stands it is the character model of nanoGPT, which has 10,745,088 parameters, but for
    /// the last layer: that one has weights of its own here, not the embedding's, 24,960 more.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::CharTransformerConfig;
    ///
    /// assert_eq!(CharTransformerConfig::new().summary()?.params(), 10_745_088 + 65 * 384);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct CharTransformer {
        /// Different characters.
        vocabulary: usize = 65,
        /// The longest text that it sees.
        context: usize = 256,
        /// Width of a character.
        dim: usize = 384,
        /// Layers.
        layers: usize = 6,
        /// Heads of the attention; they divide `dim`.
        heads: usize = 6,
        /// Share of units that dropout zeroes.
        drop: f64 = 0.2,
    }

    input characters: int [any length];

    let tokens = characters
        -> wte: embedding(vocabulary, dim) -> wpe: position_embedding(context) -> dropout(drop);
    let hidden = tokens
        -> h: repeat layers {
            residual {
                ln_1: layer_norm(bias: false)
                -> attn: multi_head_attention(heads, causal: true, bias: false, dropout: drop)
                -> dropout(drop)
            }
            -> residual {
                ln_2: layer_norm(bias: false)
                -> c_fc: linear(4 * dim, bias: false) -> gelu
                -> c_proj: linear(dim, bias: false) -> dropout(drop)
            }
        }
        -> ln_f: layer_norm(bias: false);
    let next: [length, vocabulary] = hidden -> lm_head: linear(vocabulary, bias: false);

    output next;
    loss cross_entropy;
}
