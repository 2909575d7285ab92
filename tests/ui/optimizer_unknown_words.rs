use kiln::optimizer;

optimizer! {
    pub struct Words { momentum: f64 = 0.9 }

    update sdg(momentum: momentum);
    update sgd(momentm: momentum) for biases;
    update adam(beta_1: momentun) for "head.*", head;
    clipp global_norm(1.0);
}

fn main() {}
