//! Gaussian noise on the gradients.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Distribution, Tensor};

use super::Noise;

/// The gradients of `model` with the noise of step `step`, counted from 0, on each.
pub(super) fn add<M: Module>(
    model: &M,
    grads: GradientsParams,
    noise: &Noise,
    step: u64,
) -> GradientsParams {
    let Noise::Gaussian { eta, gamma } = *noise;
    let variance = eta / (1.0 + step as f64).powf(gamma);
    let mut adding = Adding {
        deviation: variance.sqrt(),
        grads,
        noisy: GradientsParams::new(),
    };
    model.visit(&mut adding);
    adding.noisy
}

struct Adding {
    deviation: f64,
    grads: GradientsParams,
    noisy: GradientsParams,
}

impl ModuleVisitor for Adding {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.remove::<D>(param.id) else {
            return;
        };
        let noise = grad.random_like(Distribution::Normal(0.0, self.deviation));
        self.noisy.register(param.id, grad + noise);
    }
}
