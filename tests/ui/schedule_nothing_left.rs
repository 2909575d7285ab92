use kiln::schedule;

schedule! {
    /// A phase needs time.
    pub struct NothingLeft;

    peak 0.1;
    warmup(20 %) -> linear(80 %, to: 0.5) -> cosine;
}

fn main() {}
