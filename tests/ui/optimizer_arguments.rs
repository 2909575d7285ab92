use kiln::optimizer;

optimizer! {
    pub struct Arguments { momentum: f64 = 0.9 }

    update sgd(0.9);
    update sgd(momentum: momentum, momentum: 0.9) for bias;
    update sgd(nesterov: 1, weight_decay: [0.1]) for norm;
    clip global_norm();
}

fn main() {}
