use kiln::optimizer;

optimizer! {
    pub struct Nothing;

    clip global_norm(1.0);
}

fn main() {}
