use kiln::optimizer;

optimizer! {
    pub struct Units;

    update sgd(momentum: 90%, weight_decay: 1 epoch);
    clip global_norm(1.0 steps);
}

fn main() {}
