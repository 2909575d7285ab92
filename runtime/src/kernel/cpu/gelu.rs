//! `x Φ(x)`, with Φ the distribution function of the normal distribution, and its derivative.
//!
//! For `x >= 0`, `Φ(-x) = exp(-x²/2) t p(t)` with `t = 1 / (1 + x/4)` and a polynomial `p` of degree
//! 9, fitted to a relative error of 2e-8; so both tails are exact to rounding, and the density is
//! at hand for the derivative.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::pointwise::SHARE;
use super::vector::{self, exp, polynomial};

const P: [f32; 10] = [
    0.02063804,
    -0.08466761,
    0.1026329,
    -0.038830552,
    0.06795812,
    0.057436474,
    0.08193035,
    0.09342825,
    0.099738516,
    0.09973553,
];

/// `1 / sqrt(2 π)`.
const DENSITY: f32 = 0.398_942_3;

/// Replaces each number by `x Φ(x)`.
pub fn gelu(values: &mut [f32]) {
    values
        .par_chunks_mut(SHARE)
        .for_each(|values| Arch::new().dispatch(Gelu(values)));
}

/// Multiplies each gradient by the derivative at the input, `Φ(x) + x φ(x)`.
pub fn gelu_gradient(gradient: &mut [f32], input: &[f32]) {
    gradient
        .par_chunks_mut(SHARE)
        .zip(input.par_chunks(SHARE))
        .for_each(|(gradient, input)| Arch::new().dispatch(Gradient { gradient, input }));
}

struct Gelu<'a>(&'a mut [f32]);

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        vector::update(
            simd,
            self.0,
            [],
            #[inline(always)]
            |x, []| simd.mul_f32s(x, distribution(simd, x).0),
        );
    }
}

struct Gradient<'a> {
    gradient: &'a mut [f32],
    input: &'a [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        vector::update(
            simd,
            self.gradient,
            [self.input],
            #[inline(always)]
            |gradient, [x]| {
                let (distribution, exp) = distribution(simd, x);
                let density = simd.mul_f32s(exp, simd.splat_f32s(DENSITY));
                simd.mul_f32s(gradient, simd.mul_add_e_f32s(x, density, distribution))
            },
        );
    }
}

/// `Φ(x)`, and `exp(-x²/2)`.
#[inline(always)]
fn distribution<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let one = simd.splat_f32s(1.0);
    let size = simd.abs_f32s(x);
    let t = simd.div_f32s(one, simd.mul_add_e_f32s(size, simd.splat_f32s(0.25), one));
    let square = simd.mul_f32s(x, simd.mul_f32s(x, simd.splat_f32s(-0.5)));
    let exp = exp(simd, square);
    let tail = simd.mul_f32s(exp, simd.mul_f32s(t, polynomial(simd, &P, t)));
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    let distribution = simd.select_f32s(negative, tail, simd.sub_f32s(one, tail));
    (distribution, exp)
}
