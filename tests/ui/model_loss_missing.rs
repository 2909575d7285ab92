kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(10);

    output logits;
}

fn trained<M: kiln::Model>() {}

fn main() {
    trained::<Net>();
}
