use kiln::schedule;

schedule! {
    /// Nothing follows an endless phase.
    pub struct AfterEndless;

    peak 0.1;
    warmup(5 epochs) -> step(factor: 0.1, at: 30 epochs) -> cosine(10 epochs);
}

fn main() {}
