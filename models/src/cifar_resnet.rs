//! The residual networks for CIFAR.

use kiln::model;

model! {
    /// The residual network for CIFAR-10 of [He et al. 2016](https://doi.org/10.1109/CVPR.2016.90),
    /// section 4.2: as it stands ResNet-20, with 269,722 parameters; `blocks: 9` is ResNet-56, with
    /// 853,018. Its depth is `6 * blocks + 2`.
    ///
    /// The shortcut into a wider stage has no parameters (their option A): every other pixel, and
    /// zeros for the new channels.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::CifarResNetConfig;
    ///
    /// assert_eq!(CifarResNetConfig::new().summary()?.params(), 269_722);
    /// assert_eq!(CifarResNetConfig::new().with_blocks(9).summary()?.params(), 853_018);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct CifarResNet {
        /// Blocks in each of the three stages.
        blocks: usize = 3,
        /// Channels of the first stage.
        width: usize = 16,
        /// Height and width of the image.
        size: usize = 32,
        /// Number of classes.
        classes: usize = 10,
    }

    input image: [3, size, size];

    let features = image
        -> conv1: conv2d(width, kernel: 3, padding: 1, bias: false) -> bn1: batch_norm -> relu
        -> repeat stage in 0..3 {
            layer[stage + 1]: repeat i in 0..blocks {
                residual(project: max_pool2d(1, stride: 2)
                    -> pad([0, 0, 0, 0, 0, [0, 1, 2][stage] * width])
                ) {
                    conv1: conv2d(
                        [1, 2, 4][stage] * width, kernel: 3, padding: 1, bias: false,
                        stride: if i == 0 { [1, 2, 2][stage] } else { 1 },
                    )
                    -> bn1: batch_norm -> relu
                    -> conv2: conv2d([1, 2, 4][stage] * width, kernel: 3, padding: 1, bias: false)
                    -> bn2: batch_norm
                } -> relu
            }
        };
    let scores = features -> global_avg_pool -> linear: linear(classes);

    output scores;
    loss cross_entropy;
}
