use kiln::schedule;

schedule! {
    /// A time has a unit.
    pub struct Bare;

    peak 0.1 per 256;
    warmup(5, from: 0.0) -> step(factor: 0.1, at: [30, 60]);
}

fn main() {}
