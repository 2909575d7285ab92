//! A nested network of an image, given features.

mod own {
    kiln::model! {
        pub struct Block { channels: usize }
        input x: [channels, 8, 8];
        let y = x -> conv2d(channels, kernel: 1);
        output y;
    }
}

kiln::model! {
    pub struct Nests;
    input x: [4];
    let y = x -> own::Block(4);
    output y;
}

fn main() {}
