//! Stochastic gradient descent.

use pulp::Arch;
use rayon::prelude::*;

use super::super::pointwise::SHARE;

/// A step of SGD: `d = scale·(g + weight_decay·w)`, `v ← momentum·v + d`, `w ← w - rate·v`; with
/// `nesterov` `w ← w - rate·(d + momentum·v)`.
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    pub rate: f32,
    /// 1 but for LARS; a product with 1 leaves every number as it is.
    pub scale: f32,
    pub momentum: f32,
    pub nesterov: bool,
    pub weight_decay: f32,
}

impl Sgd {
    /// The step where there is no momentum.
    pub fn plain(self, parameter: &mut [f32], gradient: &[f32]) {
        parameter
            .par_chunks_mut(SHARE)
            .zip(gradient.par_chunks(SHARE))
            .for_each(|(parameter, gradient)| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        for (w, g) in parameter.iter_mut().zip(gradient) {
                            *w -= self.decayed(*w, *g) * self.rate;
                        }
                    },
                );
            });
    }

    /// The step with momentum.
    pub fn momentum(self, parameter: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
        parameter
            .par_chunks_mut(SHARE)
            .zip(gradient.par_chunks(SHARE))
            .zip(velocity.par_chunks_mut(SHARE))
            .for_each(|((parameter, gradient), velocity)| {
                Arch::new().dispatch(
                    #[inline(always)]
                    || {
                        let numbers = parameter.iter_mut().zip(gradient).zip(velocity);
                        for ((w, g), v) in numbers {
                            let d = self.decayed(*w, *g);
                            *v = d + *v * self.momentum;
                            let d = if self.nesterov {
                                *v * self.momentum + d
                            } else {
                                *v
                            };
                            *w -= d * self.rate;
                        }
                    },
                );
            });
    }

    #[inline(always)]
    fn decayed(self, w: f32, g: f32) -> f32 {
        let d = if self.weight_decay == 0.0 {
            g
        } else {
            w * self.weight_decay + g
        };
        d * self.scale
    }
}
