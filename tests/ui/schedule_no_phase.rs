use kiln::schedule;

schedule! {
    /// A phase is needed.
    pub struct NoPhase;

    peak 0.1;
}

fn main() {}
