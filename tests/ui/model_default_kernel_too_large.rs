kiln::model! {
    pub struct Net { size: usize = 29 }

    input image: [1, 28, 28];

    let logits = image -> conv2d(8, kernel: size) -> flatten -> linear(10);

    output logits;
    loss cross_entropy;
}

fn main() {}
