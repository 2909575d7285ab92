use kiln::schedule;

schedule! {
    /// What several arguments say together.
    pub struct Cycles;

    peak 0.1;
    warmup(1 epoch, shape: constant)
        -> one_cycle(1 epoch, up: 0.6, three_phase: true)
        -> cosine_restarts(1 epoch, period: 0.5 steps, mult: 0.5, decay: 2)
        -> cyclic(1 epoch, up: 2 epochs, from: 0.1, mode: exp_range)
        -> cyclic(up: 2 epochs, from: 0.1, gamma: 0.9);
}

schedule! {
    /// No time scale.
    pub struct Scale;

    peak 0.1;
    inverse_sqrt;
}

fn main() {}
