//! x
use kiln::prelude::*;

model! {
    /// A small residual network for 28×28 grey digits.
    pub struct DigitNet {
        /// Number of classes.
        classes: usize = 10,
        /// Share of units that dropout zeroes.
        drop: f64 = 0.1,
    }

    input image: [1, 28, 28];                 // per example; the batch dimension is implied

    let stem = image -> conv2d(16, kernel: 3, padding: same) -> batch_norm -> relu;
    let body = stem
        -> repeat 2 {
            residual {
                conv2d(16, kernel: 3, padding: same) -> batch_norm -> relu
                -> conv2d(16, kernel: 3, padding: same) -> batch_norm
            } -> relu
        }
        -> max_pool2d(2);
    let logits = body -> flatten -> dropout(drop) -> linear(classes);

    output logits;
    loss cross_entropy(label_smoothing: 0.1);
}

#[test]
fn runs() {
    let device = default_device().unwrap();
    let model = DigitNetConfig::new().with_classes(7).init(&device).unwrap();
    println!("{model}");
    let out = model.forward(Tensor::zeros([3, 1, 28, 28], &device));
    assert_eq!(out.dims(), [3, 7]);
    println!("{}", DigitNetConfig::new().with_classes(0).with_drop(1.5).init(&device).unwrap_err());
}
