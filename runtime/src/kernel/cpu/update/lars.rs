//! Layer-wise adaptive rates: the norms first, then SGD's step at the rate that they give.

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
    /// The step of this parameter, with this gradient, as one of SGD's.
    pub fn step(self, parameter: &[f32], gradient: &[f32]) -> Sgd {
        let [weight, gradient] = [parameter, gradient].map(|x| squares::sum(x).sqrt());
        let scale = if weight == 0.0 || gradient == 0.0 {
            self.rate
        } else {
            let below = gradient + self.weight_decay * weight;
            let local = self.trust_coefficient * weight / below;
            match self.clip {
                true if local > self.rate => self.rate,
                true => local,
                false => self.rate * local,
            }
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
