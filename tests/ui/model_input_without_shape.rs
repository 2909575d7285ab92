kiln::model! {
    pub struct Net {}

    input image;

    let logits = image -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
