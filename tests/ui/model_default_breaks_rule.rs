kiln::model! {
    pub struct Net { drop: f64 = 1.5, classes: usize = 10 }

    input image: [1, 28, 28];

    let logits = image -> flatten -> dropout(drop) -> linear(classes * 0);

    output logits;
    loss cross_entropy;
}

fn main() {}
