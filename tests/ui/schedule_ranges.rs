use kiln::schedule;

schedule! {
    /// Numbers lie in their range.
    pub struct Ranges;

    peak -0.1 per 0 examples;
    warmup(0 steps, from: -1) -> exponential(-5 epochs, factor: 1.5, every: 1 epoch) -> cosine(120 %, to: -0.5);
}

fn main() {}
