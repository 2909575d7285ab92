kiln::model! {
    pub struct Net { drop: f64 = 0.1, bias: bool = true }

    input image: [1, 28, 28];

    let logits = image -> flatten -> linear(drop) -> linear(bias) -> dropout(bias);

    output logits;
    loss cross_entropy;
}

fn main() {}
