use kiln::optimizer;

optimizer! {
    pub struct NoDefault { momentum: f64 = 0.9 }

    update sgd(momentum: momentum) for bias;
    update adam() for norm;
}

fn main() {}
