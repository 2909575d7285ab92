kiln::model! {
    pub struct Net {}

    let logits = image -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
