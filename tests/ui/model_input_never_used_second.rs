kiln::model! {
    pub struct Net {}

    input left: [1, 28, 28];
    input right: [1, 28, 28];

    let logits = left -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
