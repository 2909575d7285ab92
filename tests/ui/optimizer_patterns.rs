use kiln::optimizer;

optimizer! {
    pub struct Patterns;

    update sgd();
    update adam() for "", "head/*", bias, bias, 3;
    update adam() for "tail *", "a", "a";
}

fn main() {}
