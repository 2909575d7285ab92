kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> conv2d(10, kernel: 3);

    output logits;
    loss cross_entropy;
}

fn main() {}
