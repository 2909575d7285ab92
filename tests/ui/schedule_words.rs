use kiln::schedule;

schedule! {
    /// Words, flags and texts stand where they belong.
    pub struct Words;

    peak 0.1;
    one_cycle(50 %, shape: cosin, three_phase: 1, to: "0.0") -> cyclic(up: 2 epochs, from: 0.1, mode: triangular %);
}

fn main() {}
