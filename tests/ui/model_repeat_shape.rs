kiln::model! {
    pub struct Net { n: usize = 2 }

    input image: [1, 28, 28];

    let logits = image -> repeat n { conv2d(8, kernel: 3) -> relu } -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
