kiln::model! {
    pub struct Net {}

    input tokens: int [12];

    let y = tokens -> lstm(8);

    output y;
    loss mse;
}

fn main() {}
