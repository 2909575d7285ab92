use kiln::schedule;

schedule! {
    /// The unit goes behind the list.
    pub struct InList;

    peak 0.1;
    step(factor: 0.1, at: [30 epochs, 60 epochs]);
}

fn main() {}
