kiln::model! {
    pub struct Net { drop: f32 = 0.1 }

    input image: [1, 28, 28];

    let logits = image -> flatten -> dropout(drop) -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
