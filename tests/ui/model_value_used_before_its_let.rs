kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = hidden -> linear(10);
    let hidden = image -> flatten -> linear(32) -> relu;

    output logits;
    loss cross_entropy;
}

fn main() {}
