kiln::model! {
    pub struct Net<B> { classes: usize = 10 }

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(classes);

    output logits;
    loss cross_entropy;
}

pub fn classes(net: &Net) -> usize {
    kiln::Model::config(net).classes
}

fn main() {}
