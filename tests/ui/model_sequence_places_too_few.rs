kiln::model! {
    pub struct Net {}

    input x: [12, 8];

    let y = x -> position_embedding(max_length: 10);

    output y;
    loss mse;
}

fn main() {}
