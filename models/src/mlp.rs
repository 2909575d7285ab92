//! A perceptron with two hidden layers.

use kiln::model;

model! {
    /// A perceptron with two hidden layers of rectified units, for grey square images.
    ///
    /// As it stands, 784-512-256-10, it has 535,818 parameters.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::MlpConfig;
    ///
    /// assert_eq!(MlpConfig::new().summary()?.params(), 535_818);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct Mlp {
        /// Height and width of the image.
        size: usize = 28,
        /// Units of the first hidden layer.
        hidden_1: usize = 512,
        /// Units of the second hidden layer.
        hidden_2: usize = 256,
        /// Number of classes.
        classes: usize = 10,
    }

    input image: [1, size, size];

    let hidden = image
        -> flatten
        -> linear(hidden_1) -> relu
        -> linear(hidden_2) -> relu;
    let scores = hidden -> linear(classes);

    output scores;
    loss cross_entropy;
}
