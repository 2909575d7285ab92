use kiln::optimizer;

optimizer! {
    pub struct Sharpness { rho: f64 = -0.1 }

    update sgd(momentum: 0.9);
    sharpness sam(rho: 0);
    sharpness asam(rho: rho, eta: -1);
    sharpness sham(rho: 0.05);
    noise gaussian(gamma: 0.55);
    noise gaussian(eta: 0, gamma: -1);
    noise uniform(0.1);
}

fn main() {}
