//! The mean cross entropy between scores and classes, and its gradient.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::pointwise::SHARE;
use super::vector::{exp, max, sum, update};

/// The loss `-(1/B) sum_i sum_c q_ic log softmax(x_i)_c` of `B` rows of scores, one for each class,
/// with `q_ic = (1 - smoothing) [c = class_i] + smoothing / classes`. Replaces the scores by the
/// gradient by them.
pub fn cross_entropy(scores: &mut [f32], classes: &[usize], smoothing: f32) -> f32 {
    let width = scores.len() / classes.len();
    let rows = SHARE.div_ceil(width);
    let mut losses = vec![0.0f64; classes.len().div_ceil(rows)];
    scores
        .par_chunks_mut(rows * width)
        .zip(classes.par_chunks(rows))
        .zip(&mut losses)
        .for_each(|((scores, share), loss)| {
            *loss = Arch::new().dispatch(Rows {
                scores,
                classes: share,
                smoothing,
                batch: classes.len() as f32,
            });
        });
    losses.iter().sum::<f64>() as f32
}

struct Rows<'a> {
    scores: &'a mut [f32],
    classes: &'a [usize],
    smoothing: f32,
    batch: f32,
}

impl WithSimd for Rows<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let width = self.scores.len() / self.classes.len();
        let (sure, spread) = (1.0 - self.smoothing, self.smoothing / width as f32);
        let mut loss = 0.0;
        for (row, &class) in self.scores.chunks_exact_mut(width).zip(self.classes) {
            let largest = simd.splat_f32s(max(simd, row));
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| simd.sub_f32s(x, largest),
            );
            let mut score = sure * row[class];
            // Left out where it counts for nothing: a class may be ruled out by minus infinity.
            if self.smoothing > 0.0 {
                score += spread
                    * sum(
                        simd,
                        [row],
                        #[inline(always)]
                        |[x]| x,
                    );
            }
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| exp(simd, x),
            );
            let total = sum(
                simd,
                [row],
                #[inline(always)]
                |[x]| x,
            );
            loss += f64::from(total.ln() - score);
            let scale = simd.splat_f32s(1.0 / (total * self.batch));
            let shift = simd.splat_f32s(-spread / self.batch);
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| simd.mul_add_e_f32s(x, scale, shift),
            );
            row[class] -= sure / self.batch;
        }
        loss / f64::from(self.batch)
    }
}
