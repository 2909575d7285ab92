//! A block that is repeated an open number of times sees no values around it.

kiln::model! {
    pub struct Decoder { blocks: usize = 3 }
    input x: [any length, 8];
    input memory: [any elements, 8];
    let y = x -> repeat blocks { multi_head_attention(2, memory: memory) -> layer_norm };
    let z = y -> repeat 2 { multi_head_attention(2, memory: memory) -> layer_norm };
    let u = z -> repeat i in 0..2 { multi_head_attention(i + 1, memory: memory) -> layer_norm };
    let v = u -> multi_head_attention(2, memory: memroy);
    let w = v -> multi_head_attention(2, memory: 3);
    output w;
}

fn main() {}
