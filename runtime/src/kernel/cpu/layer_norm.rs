//! Layer normalisation (Ba, Kiros and Hinton 2016), and its gradients.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::pointwise::SHARE;
use super::vector::{sum, update};

/// Into how many parts the rows are split at most. Each has sums of its own for the gradients by
/// gamma and beta, added in order: the result does not depend on the number of threads.
const PARTS: usize = 16;

/// The mean of a row, and one over its standard deviation.
pub type Moments = (f32, f32);

/// Replaces each row `x` by `(x - mean) / sqrt(variance + epsilon) gamma + beta`; a row is as long
/// as gamma.
pub fn layer_norm(
    values: &mut [f32],
    gamma: &[f32],
    beta: Option<&[f32]>,
    epsilon: f32,
) -> Vec<Moments> {
    let width = gamma.len();
    let mut moments = vec![(0.0, 0.0); values.len() / width];
    let rows = SHARE.div_ceil(width);
    values
        .par_chunks_mut(rows * width)
        .zip(moments.par_chunks_mut(rows))
        .for_each(|(values, moments)| {
            Arch::new().dispatch(Forward {
                values,
                moments,
                gamma,
                beta,
                epsilon,
            });
        });
    moments
}

struct Forward<'a> {
    values: &'a mut [f32],
    moments: &'a mut [Moments],
    gamma: &'a [f32],
    beta: Option<&'a [f32]>,
    epsilon: f32,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.gamma.len();
        let share = 1.0 / width as f32;
        for (row, moments) in self.values.chunks_exact_mut(width).zip(self.moments) {
            let mean = sum(
                simd,
                [row],
                #[inline(always)]
                |[x]| x,
            ) * share;
            // The places behind a row's end hold 0 once the mean is taken away.
            let center = simd.splat_f32s(mean);
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| simd.sub_f32s(x, center),
            );
            let variance = sum(
                simd,
                [row],
                #[inline(always)]
                |[x]| simd.mul_f32s(x, x),
            ) * share;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            *moments = (mean, scale);
            let scale = simd.splat_f32s(scale);
            match self.beta {
                Some(beta) => update(
                    simd,
                    row,
                    [self.gamma, beta],
                    #[inline(always)]
                    |x, [gamma, beta]| simd.mul_add_e_f32s(simd.mul_f32s(x, scale), gamma, beta),
                ),
                None => update(
                    simd,
                    row,
                    [self.gamma],
                    #[inline(always)]
                    |x, [gamma]| simd.mul_f32s(simd.mul_f32s(x, scale), gamma),
                ),
            }
        }
    }
}

/// Replaces the gradient of the output by the gradient by the input, and returns the gradients by
/// gamma and by beta.
pub fn layer_norm_gradients(
    gradient: &mut [f32],
    input: &[f32],
    gamma: &[f32],
    moments: &[Moments],
) -> (Vec<f32>, Vec<f32>) {
    let width = gamma.len();
    let rows = moments
        .len()
        .div_ceil(PARTS)
        .max((SHARE / 4).div_ceil(width));
    let mut sums = vec![0.0; moments.len().div_ceil(rows) * 2 * width];
    sums.par_chunks_exact_mut(2 * width)
        .zip(gradient.par_chunks_mut(rows * width))
        .zip(input.par_chunks(rows * width))
        .zip(moments.par_chunks(rows))
        .for_each(|(((sums, gradient), input), moments)| {
            let (by_gamma, by_beta) = sums.split_at_mut(width);
            Arch::new().dispatch(Backward {
                gradient,
                input,
                gamma,
                moments,
                by_gamma,
                by_beta,
            });
        });
    let mut total = vec![0.0; 2 * width];
    for part in sums.chunks_exact(2 * width) {
        for (total, part) in total.iter_mut().zip(part) {
            *total += part;
        }
    }
    let by_beta = total.split_off(width);
    (total, by_beta)
}

struct Backward<'a> {
    gradient: &'a mut [f32],
    input: &'a [f32],
    gamma: &'a [f32],
    moments: &'a [Moments],
    by_gamma: &'a mut [f32],
    by_beta: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.gamma.len();
        let share = 1.0 / width as f32;
        let rows = self.gradient.chunks_exact_mut(width);
        let rows = rows.zip(self.input.chunks_exact(width));
        for ((gradient, input), &(mean, scale)) in rows.zip(self.moments) {
            let (center, factor) = (simd.splat_f32s(mean), simd.splat_f32s(scale));
            let normal = Normal {
                simd,
                mean: center,
                scale: factor,
            };
            let by_gamma = &mut *self.by_gamma;
            update(
                simd,
                by_gamma,
                [gradient, input],
                #[inline(always)]
                |sum, [gradient, x]| simd.mul_add_e_f32s(gradient, normal.of(x), sum),
            );
            update(
                simd,
                self.by_beta,
                [gradient],
                #[inline(always)]
                |sum, [gradient]| simd.add_f32s(sum, gradient),
            );
            let gamma = self.gamma;
            let through = sum(
                simd,
                [gradient, gamma],
                #[inline(always)]
                |[gradient, gamma]| simd.mul_f32s(gradient, gamma),
            );
            let along = sum(
                simd,
                [gradient, gamma, input],
                #[inline(always)]
                |[gradient, gamma, x]| simd.mul_f32s(simd.mul_f32s(gradient, gamma), normal.of(x)),
            );
            let through = simd.splat_f32s(through * share);
            let along = simd.splat_f32s(-along * share);
            update(
                simd,
                gradient,
                [gamma, input],
                #[inline(always)]
                |gradient, [gamma, x]| {
                    let gradient = simd.mul_f32s(gradient, gamma);
                    let rest = simd.mul_add_e_f32s(normal.of(x), along, gradient);
                    simd.mul_f32s(simd.sub_f32s(rest, through), factor)
                },
            );
        }
    }
}

/// A number less the mean, over the standard deviation.
#[derive(Clone, Copy)]
struct Normal<S: Simd> {
    simd: S,
    mean: S::f32s,
    scale: S::f32s,
}

impl<S: Simd> Normal<S> {
    #[inline(always)]
    fn of(self, x: S::f32s) -> S::f32s {
        self.simd
            .mul_f32s(self.simd.sub_f32s(x, self.mean), self.scale)
    }
}
