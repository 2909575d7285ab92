use kiln::optimizer;

optimizer! {
    pub struct Wrong { momentum: f64 = 0.9 }

    update sgd(momentum: momentum, nestrov: true);
}

// The mistake above is the only one: what the declaration stands for is there all the same.
pub fn used(wrong: Wrong) -> kiln::optim::Recipe {
    kiln::optim::Optimizer::recipe(&wrong.with_momentum(0.5))
}

fn main() {}
