//! What a network is made of is known before a tensor arrives.

mod own {
    pub struct Twice;
}

kiln::model! {
    pub struct Open { width: usize = 4 }
    input a: [any length, 4];
    let b = a -> dropout(length / 10);
    let c = b -> repeat length { relu };
    let d = c -> repeat i in 0..2 * length { linear(4 + i) };
    let e = d -> own::Twice(length, share: length / 3);
    let f = e -> dropout(if length == 3 { 0.1 } else { 0.2 });
    let g = f -> linear(if length > 3 { 4 } else { 5 });
    let h = g -> linear([4, 5][length]);
    let i = h -> layer[length]: linear(4);
    output i;
    loss cross_entropy(label_smoothing: 1 / length) + length * mse;
}

kiln::model! {
    pub struct Repeated;
    input image: [3, any height, any width];
    let y = image -> repeat 2 * height { relu };
    output y;
}

fn main() {}
