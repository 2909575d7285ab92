use kiln::schedule;

schedule! {
    /// Shares of training come to 100 % at most.
    pub struct Shares;

    peak 0.1;
    warmup(50 %) -> linear(40 %, to: 0.5) -> cosine(20 %);
}

fn main() {}
