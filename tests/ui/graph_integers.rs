//! Integers are no real numbers.

kiln::model! {
    pub struct Words;
    input tokens: int [10];
    input image: [3, 8, 8];
    input sequence: [10, 4];
    let a = tokens -> conv2d(3, kernel: 1);
    let b = sequence -> embedding(5, 4);
    let c = tokens + tokens;
    let d = concat(tokens, tokens);
    let e = tokens -> residual { relu };
    let f = tokens -> repeat 2 { relu };
    let g = sequence -> embedding(5, 4) -> lstm(3);
    let h = tokens -> embedding(5, 4) -> lstm(3);
    let i = tokens -> flatten;
    output tokens, a, b, c, d, e, f, g, h, i, image;
}

kiln::model! {
    pub struct Kinds;
    input a: integer [10];
    input b: float [10];
    input c: int 10;
    input d: int;
    input e: int [];
    let y = e -> embedding(5, 4);
    output y;
}

fn main() {}
