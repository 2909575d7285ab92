//! Statements out of place.

kiln::model! {
    pub struct Order;
    input x: [4];
    let a = x -> linear(4);
    input y: [4];
    let b = a + y;
    output b;
    output a;
    loss mse;
}

kiln::model! {
    pub struct Twice;
    input x: [4];
    let a = x -> linear(4);
    output a, a;
    loss mse;
}

kiln::model! {
    pub struct Lossy;
    input x: [4];
    let a = x -> linear(4);
    let b = a -> linear(2);
    output a, b;
    loss cross_entropy;
}

kiln::model! {
    pub struct Straight;
    input x: [4];
    output x -> linear(4);
}

kiln::model! {
    pub struct Nine;
    input a: [1];
    input b: [1];
    input c: [1];
    input d: [1];
    input e: [1];
    input f: [1];
    input g: [1];
    input h: [1];
    input i: [1];
    let y = a + b + c + d + e + f + g + h + i;
    output y;
    loss mse;
}

fn main() {}
