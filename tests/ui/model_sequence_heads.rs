kiln::model! {
    pub struct Net {}

    input x: [5, 6];

    let y = x -> multi_head_attention(heads: 4);

    output y;
    loss mse;
}

fn main() {}
