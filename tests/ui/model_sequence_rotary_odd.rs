kiln::model! {
    pub struct Net {}

    input x: [12, 6];

    let y = x -> multi_head_attention(2, rotary: true);

    output y;
    loss mse;
}

fn main() {}
