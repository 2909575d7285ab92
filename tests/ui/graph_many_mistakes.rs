//! Independent mistakes all over a graph: each is reported, and none that is not there.

kiln::model! {
    /// A pyramid with two heads.
    pub struct Pyramid { width: usize = 8, blocks: usize = 2, drop: f64 = 0.1 }

    input image: [3, 32, 32];
    input tokens: int [any length];

    let stem = image -> conv1: conv2d(width, kernel: 3, padding: same) -> bn1: batchnorm -> relu;
    let stages = stem
        -> repeat s in 0..3 {
            layer[s + 1]: repeat i in 0..blocks {
                residual(projects: conv2d([1, 2, 4][s] * width, kernel: 1)) {
                    conv2d([1, 2, 4][s] * width, kernel: 3, padding: 1) -> batch_norm
                } -> relu
            }
        };
    let words = tokens -> embedding(100, width, padding: 3) -> mean_of: lstm(width);
    let again = words -> mean_of(2);
    let joined = concat(image, stem, dim: 4) -> relu;
    let spare = stages -> global_avg_pool;
    let scores = (joined -> flatten -> linear(10)) + (image -> flatten -> linear(11));

    output scores, words, again, nothing;
    loss cross_entropy(label_smoothing: 1.5);
}

fn main() {}
