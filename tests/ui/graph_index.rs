//! The index of a `repeat`: where it comes from, and what it may be used for.

kiln::model! {
    pub struct Ranges { blocks: usize = 3, width: usize = 8 }
    input x: [8];
    let a = x -> repeat i in 0..3 { linear(8) };
    let b = a -> repeat width in 0..3 { linear(8 * (width + 1)) };
    let c = b -> repeat i in blocks..8 { linear(8 + i) };
    let d = c -> repeat i in 4..4 { linear(8 * i) };
    let e = d -> repeat i in 5..3 { linear(8 * i) };
    let f = e -> repeat i { linear(8 * i) };
    let g = f -> repeat i in 4 { linear(8 * i) };
    let h = g -> repeat i in 0..=4 { linear(8 * i) };
    let j = h -> repeat i in 0..0 { linear(8 + i) };
    let k = j -> repeat i in 1..2.5 { linear(8 + i) };
    let l = k -> repeat i in 0..3 { repeat i in 0..2 { linear(8 + i) } };
    let m = l -> repeat 0..3 { linear(8) };
    output m;
}

kiln::model! {
    pub struct Lists { width: usize = 8, which: usize = 1 }
    input x: [8];
    let a = x -> repeat i in 0..3 { linear([8, 16][i]) };
    let b = a -> linear([8, 16]);
    let c = b -> linear([8, 16][which]);
    let d = c -> linear([8, 16][2]);
    let e = d -> linear([][0]);
    let f = e -> linear([8, wide][0]);
    let g = f -> linear([8, 16][0.5]);
    let h = g -> repeat i in 0..which { linear([8, 16][i]) };
    let j = h -> linear([8, 16][j]);
    output j;
}

kiln::model! {
    pub struct Choices { width: usize = 8, drop: f64 = 0.5 }
    input x: [8];
    let a = x -> linear(if width = 8 { 2 } else { 3 });
    let b = x -> linear(if width <= 8 { 2 } else { 3 });
    let c = x -> linear(if width == 8 { 2 });
    let d = x -> linear(if drop == 0.5 { 2 } else { 3 });
    let e = x -> linear(if width == 8 { 0.5 } else { 3 });
    let f = x -> linear(if width == 8 { 2 } else { 0 });
    let g = x -> linear(if width == 8 { 0 } else { 1 });
    output a, b, c, d, e, f, g;
}

fn main() {}
