kiln::model! {
    pub struct Net {}

    inptu image: [1, 28, 28];

    let logits = image -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
