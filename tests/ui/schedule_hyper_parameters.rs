use kiln::schedule;

schedule! {
    /// A hyper-parameter is of a type that serves.
    pub struct Types {
        quick: bool = true,
        length: f32 = 5.0,
    }

    peak quick;
    warmup(5 epochs) -> cosine;
}

fn main() {}
