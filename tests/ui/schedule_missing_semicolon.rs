use kiln::schedule;

schedule! {
    /// A statement ends in a semicolon.
    pub struct Unfinished;

    peak 0.1;
    warmup(5 epochs) -> cosine
}

fn main() {}
