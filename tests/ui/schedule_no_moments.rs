use kiln::schedule;

schedule! {
    /// A step needs a moment.
    pub struct NoMoments;

    peak 0.1;
    step(factor: 0.1, at: [] epochs);
}

fn main() {}
