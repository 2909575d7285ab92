//! Eight independent mistakes, some of them in the grammar: eight errors, none invented.

kiln::model! {
    pub struct Net { width: usize = 32, pub depth: usize = 2 }

    input image: [3, 32, 32];

    let stem = image => conv2d(width, kernel: 3);
    let body = stem -> repeat depth { conv2d(width, kernel: 3) };
    let wide = image -> conv2d(7, kernel: 40) -> residual { conv2d(8, kernel: 1) };
    let flat: [10] = wide -> max_pool2d(2, 2, 2) -> flatten;
    let logits = body -> flatten -> linear(10) -> softmax;
    lett spare = flat -> relu;

    output logits;
    output flat;
    loss cross_entropy;
}

fn main() {}
