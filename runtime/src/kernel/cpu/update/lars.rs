//! Layer-wise adaptive rates: the norms first, then SGD's step at the rate that they give.

use super::super::pointwise::SHARE;
use super::{Sgd, squares};

/// A step of LARS: SGD's, with `d = γλ(g + weight_decay·w)` and
/// `λ = trust_coefficient·‖w‖ / (‖g‖ + weight_decay·‖w‖)`, or with `min(λ, γ)` for `γλ`.
#[derive(Clone, Copy, Debug)]
pub struct Lars {
    pub rate: f32,
    pub momentum: f32,
    pub nesterov: bool,
    pub weight_decay: f32,
    pub trust_coefficient: f32,
    pub clip: bool,
}

impl Lars {
    /// The step where there is no momentum.
    pub fn plain(self, parameter: &mut [f32], gradient: &[f32]) {
        at_once(parameter.len(), || {
            self.step(parameter, gradient).plain(parameter, gradient);
        });
    }

    /// The step with momentum.
    pub fn momentum(self, parameter: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
        at_once(parameter.len(), || {
            let step = self.step(parameter, gradient);
            step.momentum(parameter, gradient, velocity);
        });
    }

    /// The step of this parameter, with this gradient, as one of SGD's.
    fn step(self, parameter: &[f32], gradient: &[f32]) -> Sgd {
        let [weight, gradient] = [parameter, gradient].map(|x| squares::sum(x).sqrt());
        let local = if weight == 0.0 || gradient == 0.0 {
            1.0
        } else {
            self.trust_coefficient * weight / (gradient + self.weight_decay * weight)
        };
        let scale = match self.clip {
            true if local > self.rate => self.rate,
            true => local,
            false => self.rate * local,
        };
        Sgd {
            rate: 1.0,
            scale,
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        }
    }
}

/// Two norms and a step would wake the threads three times, which takes longer than the work of
/// one: they are woken once, where there is work for more than one of them.
fn at_once(length: usize, work: impl FnOnce() + Send) {
    if length > SHARE {
        rayon::scope(|_| work());
    } else {
        work();
    }
}
