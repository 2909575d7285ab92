//! Layers without an effect.

kiln::model! {
    pub struct Idle { drop: f64 = 0.0 }
    input x: [4];
    input image: [3, 8, 8];
    let a = x -> flatten -> dropout(0.0) -> dropout(drop);
    let b = image -> max_pool2d(1) -> conv2d(3, kernel: 1);
    let c = a -> repeat 2 { flatten -> linear(4) };
    let d = b -> repeat 1 { relu };
    output c, d;
}

fn main() {}
