kiln::model! {
    pub struct Net {}

    input tokens: int [any length];

    let x = tokens -> embedding(100, 8) -> position_embedding;
    let y = x -> lstm(4);

    output y;
    loss mse;
}

fn main() {}
