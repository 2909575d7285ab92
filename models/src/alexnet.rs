//! AlexNet with batch norm.

use kiln::model;

model! {
    /// AlexNet ([Krizhevsky et al. 2012](https://doi.org/10.1145/3065386)) with batch norm in the
    /// place of its local response norm, the network of the LARS paper
    /// ([You et al. 2017](https://arxiv.org/abs/1708.03888)).
    ///
    /// AlexNet has 60,965,224 parameters; the scales and shifts of the norms add 2,752.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::AlexNetConfig;
    ///
    /// assert_eq!(AlexNetConfig::new().summary()?.params(), 60_965_224 + 2_752);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct AlexNet {
        /// Height and width of the image, at least 67.
        size: usize = 227,
        /// Units of the two hidden dense layers.
        hidden: usize = 4096,
        /// Number of classes.
        classes: usize = 1000,
    }

    input image: [3, size, size];

    let maps = image
        -> conv1: conv2d(96, kernel: 11, stride: 4) -> bn1: batch_norm -> relu
        -> max_pool2d(3, stride: 2)
        -> conv2: conv2d(256, kernel: 5, padding: 2, groups: 2) -> bn2: batch_norm -> relu
        -> max_pool2d(3, stride: 2)
        -> conv3: conv2d(384, kernel: 3, padding: 1) -> bn3: batch_norm -> relu
        -> conv4: conv2d(384, kernel: 3, padding: 1, groups: 2) -> bn4: batch_norm -> relu
        -> conv5: conv2d(256, kernel: 3, padding: 1, groups: 2) -> bn5: batch_norm -> relu
        -> max_pool2d(3, stride: 2);
    let scores = maps
        -> flatten
        -> fc6: linear(hidden) -> relu -> dropout(0.5)
        -> fc7: linear(hidden) -> relu -> dropout(0.5)
        -> fc8: linear(classes);

    output scores;
    loss cross_entropy;
}
