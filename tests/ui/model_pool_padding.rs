kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> max_pool2d(2, padding: 2) -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
