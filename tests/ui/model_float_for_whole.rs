kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(10.0);

    output logits;
    loss cross_entropy;
}

fn main() {}
