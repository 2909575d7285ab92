kiln::model! {
    pub struct Net {}

    input x: [12, any features];

    let y = x -> lstm(8);

    output y;
    loss mse;
}

fn main() {}
