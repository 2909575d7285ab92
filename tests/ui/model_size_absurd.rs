kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> conv2d(99999999999999999999999, kernel: 3) -> conv2d(3000000000, kernel: 3) -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
