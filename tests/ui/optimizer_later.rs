use kiln::optimizer;

optimizer! {
    pub struct Later;

    update sgd(momentum: 0.9);
    sharpness sam(rho: 0.05);
    average ema(decay: 0.999);
    switch at 80% to sgd(momentum: 0.9);
}

fn main() {}
