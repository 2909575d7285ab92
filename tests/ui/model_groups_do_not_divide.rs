kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> conv2d(8, kernel: 3) -> conv2d(16, kernel: 3, groups: 3) -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
