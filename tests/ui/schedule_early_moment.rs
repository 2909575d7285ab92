use kiln::schedule;

schedule! {
    /// A moment lies in its phase.
    pub struct Early;

    peak 0.1;
    warmup(5 epochs) -> step(factor: 0.1, at: [3, 30] epochs);
}

fn main() {}
