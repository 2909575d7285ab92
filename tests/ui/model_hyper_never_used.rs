kiln::model! {
    pub struct Net { hidden: usize = 32, drop: f64 = 0.1, classes: usize = 10 }

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(32) -> relu -> linear(classes);

    output logits;
    loss cross_entropy;
}

fn main() {}
