kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let y = image -> lstm(16) -> flatten;

    output y;
    loss mse;
}

fn main() {}
