kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> conv2d(8, kernel: 3, stride: 2, padding: same) -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
