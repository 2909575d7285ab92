kiln::model! {
    pub struct Net { classes: usize = 10, classes: usize = 12 }

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(classes);

    output logits;
    loss cross_entropy;
}

fn main() {}
