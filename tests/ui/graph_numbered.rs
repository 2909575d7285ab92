//! Numbered labels: the number must be known while compiling.

kiln::model! {
    pub struct Numbered { blocks: usize = 3, drop: f64 = 0.5 }
    input x: [8];
    let a = x -> layer[blocks]: linear(8);
    let b = a -> repeat i in 0..blocks { layer[i]: linear(8) };
    let c = b -> layer[0.5]: linear(8);
    let d = c -> layer[k]: linear(8);
    let e = d -> layer[-1]: linear(8);
    let f = e -> layer[1]: linear(8) -> layer[1]: linear(8);
    let g = f -> layer[1 + ]: linear(8);
    let h = f -> layer[2]: linear(8) -> layer2: linear(8);
    output g, h;
}

fn main() {}
