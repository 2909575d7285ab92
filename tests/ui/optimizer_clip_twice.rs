use kiln::optimizer;

optimizer! {
    pub struct TwoClips;

    update sgd();
    clip global_norm(1.0);
    clip global_norm(2.0);
}

fn main() {}
