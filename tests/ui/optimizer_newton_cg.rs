use kiln::optimizer;

optimizer! {
    pub struct Beside { damping: f64 = -0.1 }

    update newton_cg(products: 0, damping: damping, curvature: fisher) for bias;
    clip global_norm(1.0);
}

optimizer! {
    pub struct Late;

    update sgd();
    switch at 90 % to newton_cg();
}

fn main() {}
