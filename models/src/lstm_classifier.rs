//! A recurrent network that classifies sequences.

use kiln::model;

model! {
    /// Classifies a sequence of tokens, such as a review, by what an LSTM
    /// ([Hochreiter and Schmidhuber 1997](https://doi.org/10.1162/neco.1997.9.8.1735)) knows behind
    /// its last token.
    ///
    /// As it stands, the sizes of Keras's example on IMDB with PyTorch's LSTM, which has two biases
    /// for each gate: 20,000 * 128 weights of the embedding, 4 * (128 * (128 + 128) + 2 * 128) of
    /// the LSTM, and 258 of the last layer.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::LstmClassifierConfig;
    ///
    /// assert_eq!(LstmClassifierConfig::new().summary()?.params(), 2_692_354);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct LstmClassifier {
        /// Different tokens.
        vocabulary: usize = 20_000,
        /// Width of a token.
        dim: usize = 128,
        /// Width of the LSTM's state.
        hidden: usize = 128,
        /// LSTMs on top of each other.
        layers: usize = 1,
        /// Share of units that dropout zeroes before the last layer.
        drop: f64 = 0.2,
        /// Number of classes.
        classes: usize = 2,
    }

    input tokens: int [any length];

    let states = tokens -> embedding: embedding(vocabulary, dim) -> lstm: lstm(hidden, layers: layers);
    let scores = states
        -> select(dim: 0, index: -1) -> dropout(drop) -> head: linear(classes);

    output scores;
    loss cross_entropy;
}
