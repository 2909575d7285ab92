kiln::model! {
    pub struct Net {}

    input x: [5, 6];
    input sounds: [9, 8];

    let y = x -> transformer_decoder(2, layers: 1, memory: sounds);

    output y;
    loss mse;
}

fn main() {}
