kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let deep = image -> flatten -> repeat 65536 { relu -> repeat 65536 { linear(784) } };
    let logits = deep -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
