kiln::model! {
    pub struct Net {}

    input x: [12, 8];

    let y = x -> transformer_encoder(2, layers: 2, activation: gleu);

    output y;
    loss mse;
}

fn main() {}
