use kiln::optimizer;

optimizer! {
    pub struct Unused { momentum: f64 = 0.9, decay: f64 = 5e-4 }

    update sgd(momentum: momentum);
}

fn main() {}
