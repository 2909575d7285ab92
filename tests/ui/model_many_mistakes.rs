//! Nine independent mistakes: nine errors, in the order of the declaration.

kiln::model! {
    pub struct Net {
        classes: u32 = 10,
        width: usize = 32,
        drop: f64 = 0.1,
    }

    input image: [1, 28, 28];

    let stem = image -> conv2d(widht, kernel: 3) -> batchnorm -> relu;
    let body = stem -> max_pool2d(2, padding: 2) -> conv2d(16, kernel: [3, 3, 3]);
    let spare = body -> global_avg_pool;
    let logits = body -> flatten -> dropout(drop + 1) -> linear(classes, bias: 1);

    output logits;
    loss cross_entropy(smoothing: 0.1);
}

fn main() {}
