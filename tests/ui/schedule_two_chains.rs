use kiln::schedule;

schedule! {
    /// Phases form one chain.
    pub struct TwoChains;

    peak 0.1;
    warmup(5 epochs);
    cosine(to: 0.01);
}

fn main() {}
