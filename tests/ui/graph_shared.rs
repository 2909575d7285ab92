//! A label names one layer: what shares its weights must be that layer.

kiln::model! {
    pub struct Twins { width: usize = 4 }
    input left: [6];
    input right: [7];
    let a = left -> encode: linear(width) -> tanh;
    let b = right -> encode -> tanh;
    let c = left -> encode(width);
    let d = left -> encod -> tanh;
    let e = left -> encode: linear(3);
    let f = left -> stage: { linear(2) -> tanh };
    let g = left -> stage;
    let h = left -> late;
    let i = left -> late: linear(2);
    output a, b, c, d, e, f, g, h, i;
}

kiln::model! {
    pub struct Group;
    input x: [6];
    let y = x -> { linear(3) -> tanh } -> linear(2);
    output y;
}

kiln::model! {
    pub struct Around;
    input x: [6];
    let y = x -> encode: linear(6) -> repeat 3 { encode };
    let z = y -> deep: repeat 2 { inner: linear(6) } -> inner -> deep;
    output z;
}

fn main() {}
