use kiln::prelude::*;

model! {
    #[derive(Debug, Clone)]
    pub struct Net {}

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn copied(net: &Net) -> Net {
    net.clone()
}

fn main() {
    let _ = copied;
}
