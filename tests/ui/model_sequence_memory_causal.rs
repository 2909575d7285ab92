kiln::model! {
    pub struct Net {}

    input x: [5, 6];
    input sounds: [9, 8];

    let y = x -> multi_head_attention(2, memory: sounds, causal: true);

    output y;
    loss mse;
}

fn main() {}
