use kiln::burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use kiln::burn::tensor::Distribution;
use kiln::prelude::*;
use kiln_models::{CnnConfig, MlpConfig};
use std::time::Instant;
fn run<M: Model<Input = Tensor<4>, Output = Tensor<2>>>(
    mut model: M,
    steps: usize,
    device: &Device,
) {
    let images = Tensor::<4>::random([128, 1, 28, 28], Distribution::Default, device);
    let labels = Tensor::<1, Int>::arange(0..128, device).remainder_scalar(10);
    let mut opt: ModuleOptimizer = SgdConfig::new()
        .with_momentum(Some(
            MomentumConfig::new().with_momentum(0.9).with_dampening(0.0),
        ))
        .init();
    let mut t = vec![];
    let mut parts = [vec![], vec![], vec![]];
    for _ in 0..steps {
        let s = Instant::now();
        let out = model.forward(images.clone());
        let l = kiln::loss::cross_entropy(out, labels.clone(), 0.0);
        parts[0].push(s.elapsed().as_secs_f64() * 1e3);
        let b = Instant::now();
        let g = l.backward();
        parts[1].push(b.elapsed().as_secs_f64() * 1e3);
        let b = Instant::now();
        let g = GradientsParams::from_grads(g, &model);
        model = opt.step(1e-3, model, g);
        parts[2].push(b.elapsed().as_secs_f64() * 1e3);
        t.push(s.elapsed().as_secs_f64() * 1e3);
    }
    let med = |v: &mut Vec<f64>| {
        v.sort_by(f64::total_cmp);
        (v[v.len() / 2], v[0])
    };
    println!(
        "step {:.2?} fwd {:.2?} bwd {:.2?} opt {:.2?}",
        med(&mut t),
        med(&mut parts[0]),
        med(&mut parts[1]),
        med(&mut parts[2])
    );
}
fn main() {
    let device = default_device().unwrap().autodiff();
    let n = std::env::args().nth(2).map_or(100, |n| n.parse().unwrap());
    match std::env::args().nth(1).as_deref() {
        Some("mlp") => run(MlpConfig::new().init(&device).unwrap(), n, &device),
        _ => run(CnnConfig::new().init(&device).unwrap(), n, &device),
    }
}
