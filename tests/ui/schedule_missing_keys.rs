use kiln::schedule;

schedule! {
    /// What a phase needs is named.
    pub struct Missing;

    peak 0.1;
    warmup -> step(at: [30, 60] epochs);
}

fn main() {}
