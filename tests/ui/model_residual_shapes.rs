kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> residual { conv2d(8, kernel: 3, padding: same) -> relu } -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
