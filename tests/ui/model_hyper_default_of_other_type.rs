kiln::model! {
    pub struct Net { classes: usize = 0.5 }

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(classes);

    output logits;
    loss cross_entropy;
}

fn main() {}
