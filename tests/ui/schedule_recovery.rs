use kiln::schedule;

schedule! {
    /// A broken statement does not hide the next.
    pub struct Recovery;

    peak 0.1 = 3;
    warmup(5steps) -> cosin;
    0.1;
}

fn main() {}
