kiln::model! {
    pub struct Net {}

    input x: [5, 6];
    input sounds: [9, 6];

    let y = x -> transformer_decoder(2, layers: 1, memory: sound);

    output y;
    loss mse;
}

fn main() {}
