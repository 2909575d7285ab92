//! Adam and AdamW.

use pulp::Arch;
use rayon::prelude::*;

use super::super::pointwise::SHARE;

/// A step of Adam or AdamW: `m ← β₁m + (1 - β₁)d`, `v ← β₂v + (1 - β₂)d²`, and the parameter moves
/// by `rate` times the quotient of the bias-corrected `m` and `√v`.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    pub rate: f64,
    pub beta_1: f32,
    pub beta_2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    /// Whether the decay shrinks the parameter (AdamW), rather than being part of `d`.
    pub decoupled: bool,
    /// The number of this step, from 1.
    pub time: usize,
}

impl Adam {
    pub fn run(self, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        w.par_chunks_mut(SHARE)
            .zip(g.par_chunks(SHARE))
            .zip(m.par_chunks_mut(SHARE).zip(v.par_chunks_mut(SHARE)))
            .for_each(|((w, g), (m, v))| {
                if self.decoupled {
                    self.decoupled(w, g, m, v);
                } else {
                    self.coupled(w, g, m, v);
                }
            });
    }

    fn coupled(self, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        let rate = self.rate as f32;
        let [one, two] = self.corrections();
        let root = two.sqrt();
        let (factor, epsilon) = (root / one, self.epsilon * root);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for ((w, g), (m, v)) in w.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
                    let d = if self.weight_decay == 0.0 {
                        *g
                    } else {
                        *w * self.weight_decay + *g
                    };
                    self.moments(d, m, v);
                    *w -= *m * factor / (v.sqrt() + epsilon) * rate;
                }
            },
        );
    }

    fn decoupled(self, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        let rate = self.rate as f32;
        // 1 where there is no decay, which leaves every number as it is.
        let kept = (1.0 - self.rate * f64::from(self.weight_decay)) as f32;
        let [one, two] = self.corrections();
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for ((w, g), (m, v)) in w.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
                    self.moments(*g, m, v);
                    let d = *m / one / ((*v / two).sqrt() + self.epsilon);
                    *w = *w * kept - d * rate;
                }
            },
        );
    }

    #[inline(always)]
    fn moments(self, d: f32, m: &mut f32, v: &mut f32) {
        *m = *m * self.beta_1 + d * (1.0 - self.beta_1);
        *v = *v * self.beta_2 + d * d * (1.0 - self.beta_2);
    }

    /// `1 - βᵗ` of both moments, which begin at 0.
    fn corrections(self) -> [f32; 2] {
        let time = self.time as i32;
        [self.beta_1, self.beta_2].map(|beta| 1.0 - beta.powi(time))
    }
}
