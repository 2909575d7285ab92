use kiln::optimizer;

optimizer! {
    pub struct Late;

    update sgd() for bias, norm;
    update adam(weight_decay: 0.1);
}

fn main() {}
