use kiln::schedule;

schedule! {
    /// A warmup comes first.
    pub struct LateWarmup;

    peak 0.1;
    cosine(10 epochs) -> warmup(5 epochs, from: 0.0);
}

fn main() {}
