use kiln::schedule;

schedule! {
    /// A rate that is written twice.
    pub struct Unused { base: f64 = 0.1, length: usize = 5 }

    peak 0.1;
    warmup(length epochs) -> cosine;
}

fn main() {}
