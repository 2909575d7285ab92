use kiln::optimizer;

optimizer! {
    pub struct Nesterov { fast: bool = true }

    update sgd(nesterov: true);
    update sgd(momentum: 0, nesterov: fast) for bias;
}

fn main() {}
