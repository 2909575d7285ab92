use kiln::optimizer;

optimizer! {
    pub struct Ranges { share: f64 = 0.75, n: usize = 3 }

    update sgd(momentum: 1.0, weight_decay: -0.1);
    update adam(beta_1: 2 * share, beta_2: 1, epsilon: 0) for bias;
    update adamw(weight_decay: 1 / (n - 3)) for norm;
    clip global_norm(0);
}

fn main() {}
