use kiln::schedule;

schedule! {
    /// A peak is needed.
    pub struct NoPeak;

    warmup(5 epochs) -> cosine;
}

fn main() {}
