use kiln::schedule;

schedule! {
    /// A plateau is told once an epoch, and comes last.
    pub struct Plateau;

    peak 0.1;
    plateau(factor: 1, patience: 500 steps, cooldown: 0.5 epochs, on: f1, min_lr: -1) -> cosine;
}

schedule! {
    /// Is less of it better, or more?
    pub struct Side;

    peak 0.1;
    warmup(1 epoch) -> plateau(on: "f1");
}

fn main() {}
