use kiln::optimizer;

optimizer! {
    pub struct Semicolon;

    update sgd(momentum: 0.9)
    update adam() for bias;
    clip global_norm(1.0)
}

fn main() {}
