kiln::model! {
    pub struct Net { classes: usize = 10 }

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(2 * clases);

    output logits;
    loss cross_entropy;
}

fn main() {}
