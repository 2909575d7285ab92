//! Dimensions that only the tensor knows.

kiln::model! {
    pub struct Open { width: usize = 4 }
    input a: [any length, 4];
    input b: [any length, 4];
    input c: [any width, 4];
    input d: [3, any features];
    input e: [lenght, 4];
    let f = a -> linear(any units);
    let g = a -> linear(length);
    let h = d -> linear(3);
    let i = a -> flatten -> linear(3);
    let j: [any rows, 4] = a -> tanh;
    let k = d -> layer_norm;
    let l = a + b;
    let m = a -> max_pool2d(2);
    output c, e, f, g, h, i, j, k, l, m;
}

kiln::model! {
    pub struct Image;
    input image: [any channels, any height, any width];
    let a = image -> conv2d(8, kernel: 3);
    let b = image -> batch_norm;
    let d = image -> flatten -> linear(8);
    let e = image -> global_avg_pool -> linear(8);
    output a, b, d, e;
}

kiln::model! {
    pub struct Late;
    input y: [length, 3];
    input x: [any length, 3];
    let s = concat(x, y);
    output s;
}

kiln::model! {
    pub struct Named;
    input x: [any 3, 3];
    input y: [any, 3];
    input z: any;
    output x, y;
}

fn main() {}
