use kiln::optimizer;

optimizer! {
    pub struct Twice;

    update sgd();
    update adam();
}

fn main() {}
