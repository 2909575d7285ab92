kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let hidden = image -> flatten -> linear(32) -> relu;
    let logits = image -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
