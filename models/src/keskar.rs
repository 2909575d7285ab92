//! The networks with which sharp minima were found at large batches: Keskar et al. 2017.

use kiln::model;

model! {
    /// F1 of [Keskar et al. 2017](https://arxiv.org/abs/1609.04836), for MNIST; as `inputs: 360`,
    /// `layers: 7`, `classes: 1973` it is F2, for TIMIT.
    ///
    /// Dense layers of 512 units, each with batch norm and ReLU.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::KeskarFConfig;
    ///
    /// assert_eq!(KeskarFConfig::new().summary()?.params(), 1_462_794);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct KeskarF {
        /// Numbers that go in.
        inputs: usize = 784,
        /// Hidden layers.
        layers: usize = 5,
        /// Units of each hidden layer.
        hidden: usize = 512,
        /// Number of classes.
        classes: usize = 10,
    }

    input features: [inputs];

    let scores = features
        -> repeat layers { linear(hidden) -> batch_norm -> relu }
        -> linear(classes);

    output scores;
    loss cross_entropy;
}

model! {
    /// C1 of [Keskar et al. 2017](https://arxiv.org/abs/1609.04836), for CIFAR-10; with 100
    /// classes it is C3.
    ///
    /// A shallow network after AlexNet's: two 5×5 convolutions, each with a pooling over 3×3, and
    /// dense layers of 384 and 192 units, as the authors' code has them.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::KeskarC1Config;
    ///
    /// assert_eq!(KeskarC1Config::new().summary()?.params(), 1_757_834);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct KeskarC1 {
        /// Height and width of the image.
        size: usize = 32,
        /// Number of classes.
        classes: usize = 10,
    }

    input image: [3, size, size];

    let maps = image
        -> repeat 2 {
            conv2d(64, kernel: 5, padding: 2) -> batch_norm -> relu
            -> max_pool2d(3, stride: 2, padding: 1)
        };
    let scores = maps
        -> flatten
        -> repeat i in 0..2 { linear([384, 192][i]) -> batch_norm -> relu -> dropout(0.5) }
        -> linear(classes);

    output scores;
    loss cross_entropy;
}

model! {
    /// C2 of [Keskar et al. 2017](https://arxiv.org/abs/1609.04836), for CIFAR-10; with 100
    /// classes it is C4.
    ///
    /// A deep network after VGG's: stacks of 2, 2, 3, 3 and 3 convolutions of 3×3, each with batch
    /// norm, a pooling behind each stack, and a dense layer of 512 units. Dropout where the
    /// authors' code has it.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::KeskarC2Config;
    ///
    /// assert_eq!(KeskarC2Config::new().summary()?.params(), 14_991_946);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct KeskarC2 {
        /// Height and width of the image, at least 32.
        size: usize = 32,
        /// Number of classes.
        classes: usize = 10,
    }

    input image: [3, size, size];

    let maps = image
        -> repeat stack in 0..5 {
            repeat [1, 1, 2, 2, 2][stack] {
                conv2d([64, 128, 256, 512, 512][stack], kernel: 3, padding: 1)
                -> batch_norm -> relu -> dropout(if stack == 0 { 0.3 } else { 0.4 })
            }
            -> conv2d([64, 128, 256, 512, 512][stack], kernel: 3, padding: 1)
            -> batch_norm -> relu -> max_pool2d(2)
        };
    let scores = maps
        -> flatten -> dropout(0.5)
        -> linear(512) -> batch_norm -> relu -> dropout(0.5)
        -> linear(classes);

    output scores;
    loss cross_entropy;
}
