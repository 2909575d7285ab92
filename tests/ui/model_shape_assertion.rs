kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let pooled: [8, 14, 13] = image -> conv2d(8, kernel: 3, padding: same) -> max_pool2d(2);
    let flat: [8, 196] = pooled -> flatten;
    let logits = flat -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
