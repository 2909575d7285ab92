kiln::model! {
    pub struct Net {}

    input x: [12, 8];

    let y = x -> gru(8, dropout: 0.2);

    output y;
    loss mse;
}

fn main() {}
