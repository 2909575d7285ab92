kiln::model! {
    pub struct Net {}

    input image: [1, 28, 28];

    let flat = image -> flatten;
    let config = flat -> linear(10);

    output config;
    loss cross_entropy;
}

fn main() {}
