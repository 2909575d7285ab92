//! VGG-16.

use kiln::model;

model! {
    /// VGG-16 ([Simonyan and Zisserman 2015](https://arxiv.org/abs/1409.1556), configuration D),
    /// with the parameter paths of torchvision, so that its weights can be loaded: 138,357,544
    /// parameters.
    ///
    /// ```
    /// use kiln::prelude::*;
    /// use kiln_models::Vgg16Config;
    ///
    /// assert_eq!(Vgg16Config::new().summary()?.params(), 138_357_544);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub struct Vgg16 {
        /// Height and width of the image, at least 32.
        size: usize = 224,
        /// Channels of the first stage.
        width: usize = 64,
        /// Units of the two hidden dense layers.
        hidden: usize = 4096,
        /// Number of classes.
        classes: usize = 1000,
    }

    input image: [3, size, size];

    let maps = image -> features: {
        conv2d(width, kernel: 3, padding: 1) -> relu
        -> conv2d(width, kernel: 3, padding: 1) -> relu -> max_pool2d(2)
        -> conv2d(2 * width, kernel: 3, padding: 1) -> relu
        -> conv2d(2 * width, kernel: 3, padding: 1) -> relu -> max_pool2d(2)
        -> conv2d(4 * width, kernel: 3, padding: 1) -> relu
        -> conv2d(4 * width, kernel: 3, padding: 1) -> relu
        -> conv2d(4 * width, kernel: 3, padding: 1) -> relu -> max_pool2d(2)
        -> conv2d(8 * width, kernel: 3, padding: 1) -> relu
        -> conv2d(8 * width, kernel: 3, padding: 1) -> relu
        -> conv2d(8 * width, kernel: 3, padding: 1) -> relu -> max_pool2d(2)
        -> conv2d(8 * width, kernel: 3, padding: 1) -> relu
        -> conv2d(8 * width, kernel: 3, padding: 1) -> relu
        -> conv2d(8 * width, kernel: 3, padding: 1) -> relu -> max_pool2d(2)
    };
    let scores = maps -> flatten -> classifier: {
        linear(hidden) -> relu -> dropout(0.5)
        -> linear(hidden) -> relu -> dropout(0.5)
        -> linear(classes)
    };

    output scores;
    loss cross_entropy;
}
