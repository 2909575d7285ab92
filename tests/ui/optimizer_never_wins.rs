use kiln::optimizer;

optimizer! {
    pub struct Hidden;

    update sgd();
    update sgd(weight_decay: 0.1) for "head.out.*";
    update adam() for "head.*";
}

fn main() {}
