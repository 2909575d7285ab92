//! Settings that a nested network does not have: rustc says so at the setting.

mod own {
    kiln::model! {
        pub struct Block { channels: usize, inner: usize = 2, drop: f64 = 0.0 }
        input x: [channels];
        let y = x -> linear(inner) -> dropout(drop) -> linear(channels);
        output y;
    }
}

kiln::model! {
    pub struct Nests { width: usize = 4 }
    input x: [4];
    let a = x -> own::Block(width, iner: 3);
    let b = a -> own::Block(inner: 3);
    let c = b -> own::Block(4, drop: 1);
    let d = c -> own::Block(4, 4);
    let e = d -> own::Block(4, drop: width);
    output e;
}

fn main() {}
