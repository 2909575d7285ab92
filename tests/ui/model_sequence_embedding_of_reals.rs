kiln::model! {
    pub struct Net {}

    input tokens: [12];

    let y = tokens -> embedding(100, 8);

    output y;
    loss mse;
}

fn main() {}
