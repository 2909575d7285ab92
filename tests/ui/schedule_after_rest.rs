use kiln::schedule;

schedule! {
    /// Nothing follows a phase that lasts until the end.
    pub struct AfterRest;

    peak 0.1;
    linear(to: 0.1) -> constant;
}

fn main() {}
