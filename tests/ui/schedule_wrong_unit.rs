use kiln::schedule;

schedule! {
    /// Examples count a batch and not time.
    pub struct WrongUnit;

    peak 0.1 per 256 epochs;
    warmup(5 examples) -> cosine(to: 1 %);
}

fn main() {}
