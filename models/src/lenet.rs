//! LeNet-5.

use kiln::model;

model! {
    /// LeNet-5 ([LeCun et al. 1998](https://doi.org/10.1109/5.726791)) as it is taught today: the
    /// second convolution sees all channels, and the output is a dense layer.
    ///
    /// At 28×28 it has 61,706 parameters.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::LeNet5Config;
    ///
    /// assert_eq!(LeNet5Config::new().summary()?.params(), 61_706);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct LeNet5 {
        /// Height and width of the image, at least 12.
        size: usize = 28,
        /// Number of classes.
        classes: usize = 10,
    }

    input image: [1, size, size];

    let features = image
        -> c1: conv2d(6, kernel: 5, padding: same) -> tanh -> avg_pool2d(2)
        -> c3: conv2d(16, kernel: 5) -> tanh -> avg_pool2d(2);
    let scores = features
        -> flatten
        -> c5: linear(120) -> tanh
        -> f6: linear(84) -> tanh
        -> scores: linear(classes);

    output scores;
    loss cross_entropy;
}
