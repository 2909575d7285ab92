use kiln::schedule;

schedule! {
    /// Moments rise, and there is one at least.
    pub struct Moments;

    peak 0.1;
    step(factor: 0.1, at: [30, 80, 60, 60] epochs);
}

fn main() {}
