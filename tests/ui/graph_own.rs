//! Layers of the user's own: what the language says of them.

mod own {
    pub struct Twice;
}

kiln::model! {
    pub struct Owns { width: usize = 4, flag: bool = true }
    input x: [4];
    let a = x -> own::Twice as 4;
    let b = a -> own::Twice as [4, 0];
    let c = b -> own::Twice as [widht];
    let d = c -> own::Twice(widht, step: 3 epochs) as [4];
    let e = d -> own::Twice(same);
    let f = e -> own::Twice::<3>() as [4];
    let g = f -> Twice { step: 3 };
    let h = f -> own::Twice as [any length];
    output g, h;
}

fn main() {}
