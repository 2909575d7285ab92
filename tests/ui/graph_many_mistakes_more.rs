//! More of them: what one mistake leaves unknown is no second mistake.

kiln::model! {
    pub struct Mixed { width: usize = 8, depth: usize = 3 }

    input left: [any rows, 8];
    input right: [rows, widht];
    input image: [1, 16, 16];

    let shared = left -> enc: linear(width) -> tanh;
    let both = shared + (right -> enc) -> gelu;
    let other = image -> enc -> relu;
    let deep = both
        -> repeat depth in 0..4 { linear(width) }
        -> repeat i in 1..1 { linear(8 * i) }
        -> linear([8, 16][2]);
    let pooled = image
        -> residual(shortcut: conv2d(4, kernel: 1)) { conv2d(5, kernel: 3, padding: 1) }
        -> max_pool2d(if width == 8 { 17 } else { 2 });
    let wide = concat(deep, pooled);
    let attended = deep -> repeat depth { multi_head_attention(3, memory: left) };
    let flat = left -> flatten -> linear(4);

    output wide, attended, flat, other, both;
}

fn main() {}
