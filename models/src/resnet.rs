//! The residual networks for ImageNet.

use kiln::model;

model! {
    /// ResNet-18 ([He et al. 2016](https://doi.org/10.1109/CVPR.2016.90)), with the parameter paths
    /// of torchvision, so that its weights can be loaded: 11,689,512 parameters.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::ResNet18Config;
    ///
    /// assert_eq!(ResNet18Config::new().summary()?.params(), 11_689_512);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct ResNet18 {
        /// Height and width of the image.
        size: usize = 224,
        /// Channels of the first stage; each further one has twice as many.
        width: usize = 64,
        /// Number of classes.
        classes: usize = 1000,
    }

    input image: [3, size, size];

    let stem = image
        -> conv1: conv2d(width, kernel: 7, stride: 2, padding: 3, bias: false)
        -> bn1: batch_norm -> relu -> max_pool2d(3, stride: 2, padding: 1);
    let features = stem
        -> repeat stage in 0..4 {
            layer[stage + 1]: repeat i in 0..[2, 2, 2, 2][stage] {
                residual(project: downsample: {
                    conv2d(
                        [1, 2, 4, 8][stage] * width, kernel: 1, bias: false,
                        stride: if stage == 0 { 1 } else { 2 },
                    )
                    -> batch_norm
                }) {
                    conv1: conv2d(
                        [1, 2, 4, 8][stage] * width, kernel: 3, padding: 1, bias: false,
                        stride: if i == 0 { [1, 2, 2, 2][stage] } else { 1 },
                    )
                    -> bn1: batch_norm -> relu
                    -> conv2: conv2d([1, 2, 4, 8][stage] * width, kernel: 3, padding: 1, bias: false)
                    -> bn2: batch_norm
                } -> relu
            }
        };
    let scores = features -> global_avg_pool -> fc: linear(classes);

    output scores;
    loss cross_entropy;
}

model! {
    /// ResNet-34 ([He et al. 2016](https://doi.org/10.1109/CVPR.2016.90)), with the parameter paths
    /// of torchvision, so that its weights can be loaded: 21,797,672 parameters.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::ResNet34Config;
    ///
    /// assert_eq!(ResNet34Config::new().summary()?.params(), 21_797_672);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct ResNet34 {
        /// Height and width of the image.
        size: usize = 224,
        /// Channels of the first stage; each further one has twice as many.
        width: usize = 64,
        /// Number of classes.
        classes: usize = 1000,
    }

    input image: [3, size, size];

    let stem = image
        -> conv1: conv2d(width, kernel: 7, stride: 2, padding: 3, bias: false)
        -> bn1: batch_norm -> relu -> max_pool2d(3, stride: 2, padding: 1);
    let features = stem
        -> repeat stage in 0..4 {
            layer[stage + 1]: repeat i in 0..[3, 4, 6, 3][stage] {
                residual(project: downsample: {
                    conv2d(
                        [1, 2, 4, 8][stage] * width, kernel: 1, bias: false,
                        stride: if stage == 0 { 1 } else { 2 },
                    )
                    -> batch_norm
                }) {
                    conv1: conv2d(
                        [1, 2, 4, 8][stage] * width, kernel: 3, padding: 1, bias: false,
                        stride: if i == 0 { [1, 2, 2, 2][stage] } else { 1 },
                    )
                    -> bn1: batch_norm -> relu
                    -> conv2: conv2d([1, 2, 4, 8][stage] * width, kernel: 3, padding: 1, bias: false)
                    -> bn2: batch_norm
                } -> relu
            }
        };
    let scores = features -> global_avg_pool -> fc: linear(classes);

    output scores;
    loss cross_entropy;
}

model! {
    /// ResNet-50 ([He et al. 2016](https://doi.org/10.1109/CVPR.2016.90)), with the parameter paths
    /// of torchvision, so that its weights can be loaded: 25,557,032 parameters.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::ResNet50Config;
    ///
    /// assert_eq!(ResNet50Config::new().summary()?.params(), 25_557_032);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct ResNet50 {
        /// Height and width of the image.
        size: usize = 224,
        /// Channels of the first stage; each further one has twice as many.
        width: usize = 64,
        /// Number of classes.
        classes: usize = 1000,
    }

    input image: [3, size, size];

    let stem = image
        -> conv1: conv2d(width, kernel: 7, stride: 2, padding: 3, bias: false)
        -> bn1: batch_norm -> relu -> max_pool2d(3, stride: 2, padding: 1);
    let features = stem
        -> repeat stage in 0..4 {
            layer[stage + 1]: repeat i in 0..[3, 4, 6, 3][stage] {
                residual(project: downsample: {
                    conv2d(
                        [4, 8, 16, 32][stage] * width, kernel: 1, bias: false,
                        stride: if stage == 0 { 1 } else { 2 },
                    )
                    -> batch_norm
                }) {
                    conv1: conv2d([1, 2, 4, 8][stage] * width, kernel: 1, bias: false)
                    -> bn1: batch_norm -> relu
                    -> conv2: conv2d(
                        [1, 2, 4, 8][stage] * width, kernel: 3, padding: 1, bias: false,
                        stride: if i == 0 { [1, 2, 2, 2][stage] } else { 1 },
                    )
                    -> bn2: batch_norm -> relu
                    -> conv3: conv2d([4, 8, 16, 32][stage] * width, kernel: 1, bias: false)
                    -> bn3: batch_norm
                } -> relu
            }
        };
    let scores = features -> global_avg_pool -> fc: linear(classes);

    output scores;
    loss cross_entropy;
}
