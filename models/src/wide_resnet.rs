//! Wide residual networks.

use kiln::model;

model! {
    /// The wide residual network for CIFAR of
    /// [Zagoruyko and Komodakis 2016](https://arxiv.org/abs/1605.07146): as it stands WRN-28-10,
    /// with 36,479,194 parameters; their 36.5 million.
    ///
    /// Norm and ReLU stand before the convolutions. The first block of a stage brings its input to
    /// the new width by a 1×1 convolution.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::WideResNetConfig;
    ///
    /// assert_eq!(WideResNetConfig::new().summary()?.params(), 36_479_194);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct WideResNet {
        /// Convolutions along the longest way: 4, and 6 for each block of a stage.
        depth: usize = 28,
        /// How many times as wide as a ResNet for CIFAR.
        widen: usize = 10,
        /// Share of units that dropout zeroes between the convolutions of a block.
        drop: f64 = 0.0,
        /// Height and width of the image.
        size: usize = 32,
        /// Number of classes.
        classes: usize = 10,
    }

    input image: [3, size, size];

    let features = image
        -> conv1: conv2d(16, kernel: 3, padding: 1, bias: false)
        -> repeat stage in 0..3 {
            block[stage + 1]: {
                batch_norm -> relu
                -> residual(shortcut: conv2d(
                    [16, 32, 64][stage] * widen, kernel: 1, stride: [1, 2, 2][stage], bias: false,
                )) {
                    conv2d(
                        [16, 32, 64][stage] * widen, kernel: 3, stride: [1, 2, 2][stage],
                        padding: 1, bias: false,
                    )
                    -> batch_norm -> relu -> dropout(drop)
                    -> conv2d([16, 32, 64][stage] * widen, kernel: 3, padding: 1, bias: false)
                }
                -> repeat (depth - 4) / 6 - 1 {
                    residual {
                        batch_norm -> relu
                        -> conv2d([16, 32, 64][stage] * widen, kernel: 3, padding: 1, bias: false)
                        -> batch_norm -> relu -> dropout(drop)
                        -> conv2d([16, 32, 64][stage] * widen, kernel: 3, padding: 1, bias: false)
                    }
                }
            }
        };
    let scores = features -> bn: batch_norm -> relu -> global_avg_pool -> fc: linear(classes);

    output scores;
    loss cross_entropy;
}
