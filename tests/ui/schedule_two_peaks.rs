use kiln::schedule;

schedule! {
    /// There is one peak.
    pub struct TwoPeaks;

    peak 0.1;
    peak 0.2;
    constant;
}

fn main() {}
