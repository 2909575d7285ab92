use kiln::schedule;

schedule! {
    /// A key is given once.
    pub struct Doubled;

    peak 0.1;
    linear(10 epochs, to: 0.1, to: 0.2);
}

fn main() {}
