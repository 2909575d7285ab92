//! A small convolutional network.

use kiln::model;

model! {
    /// Two 3×3 convolutions, each with a pooling that halves the image, and two dense layers, for
    /// grey square images.
    ///
    /// At 28×28 it has 206,922 parameters.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::CnnConfig;
    ///
    /// assert_eq!(CnnConfig::new().summary()?.params(), 206_922);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct Cnn {
        /// Height and width of the image, at least 4.
        size: usize = 28,
        /// Units of the hidden dense layer.
        hidden: usize = 128,
        /// Number of classes.
        classes: usize = 10,
    }

    input image: [1, size, size];

    let features = image
        -> conv2d(16, kernel: 3, padding: same) -> relu -> max_pool2d(2)
        -> conv2d(32, kernel: 3, padding: same) -> relu -> max_pool2d(2);
    let scores = features -> flatten -> linear(hidden) -> relu -> linear(classes);

    output scores;
    loss cross_entropy;
}
