//! The softmax of each row, and its gradient.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::pointwise::SHARE;
use super::vector::{exp, max, sum, update};

/// Replaces each row `x` of `width` numbers by `exp(x_i) / sum_j exp(x_j)`.
pub fn softmax(values: &mut [f32], width: usize) {
    values
        .par_chunks_mut(SHARE.div_ceil(width) * width)
        .for_each(|values| Arch::new().dispatch(Softmax { values, width }));
}

/// Replaces the gradient of the output by the gradient by the input.
pub fn softmax_gradient(gradient: &mut [f32], output: &[f32], width: usize) {
    let share = SHARE.div_ceil(width) * width;
    gradient
        .par_chunks_mut(share)
        .zip(output.par_chunks(share))
        .for_each(|(gradient, output)| {
            Arch::new().dispatch(Gradient {
                gradient,
                output,
                width,
            });
        });
}

struct Softmax<'a> {
    values: &'a mut [f32],
    width: usize,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.values.chunks_exact_mut(self.width) {
            let (_, total) = exponentials(simd, row);
            let scale = simd.splat_f32s(1.0 / total);
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| simd.mul_f32s(x, scale),
            );
        }
    }
}

/// Replaces each number `x` of a row by `exp(x - m)` with `m` the largest, and returns `m` and the
/// sum.
#[inline(always)]
pub fn exponentials<S: Simd>(simd: S, row: &mut [f32]) -> (f32, f32) {
    let largest = max(simd, row);
    let shift = simd.splat_f32s(largest);
    update(
        simd,
        row,
        [],
        #[inline(always)]
        |x, []| exp(simd, simd.sub_f32s(x, shift)),
    );
    (
        largest,
        sum(
            simd,
            [row],
            #[inline(always)]
            |[x]| x,
        ),
    )
}

struct Gradient<'a> {
    gradient: &'a mut [f32],
    output: &'a [f32],
    width: usize,
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.gradient.chunks_exact_mut(self.width);
        for (gradient, output) in rows.zip(self.output.chunks_exact(self.width)) {
            let along = sum(
                simd,
                [gradient, output],
                #[inline(always)]
                |[g, y]| simd.mul_f32s(g, y),
            );
            let along = simd.splat_f32s(along);
            update(
                simd,
                gradient,
                [output],
                #[inline(always)]
                |g, [y]| simd.mul_f32s(simd.sub_f32s(g, along), y),
            );
        }
    }
}
