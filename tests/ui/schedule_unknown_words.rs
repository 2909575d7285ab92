use kiln::schedule;

schedule! {
    /// Unknown words are answered with the nearest.
    pub struct Unknown { base: f64 = 0.1 }

    peak bsae;
    warmup(5 epochs, form: 0.1) -> cosin;
}

fn main() {}
