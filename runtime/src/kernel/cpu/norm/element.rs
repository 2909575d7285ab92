//! What happens to each number.

use pulp::Simd;

/// One thing for each of three coefficients of a channel.
///
/// Forward, `y = (x - center) * scale + shift`. The mean is `center` as closely as single precision
/// has it, and what that leaves out is in `shift`: so numbers far from 0 keep their precision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Affine<T> {
    pub center: T,
    pub scale: T,
    pub shift: T,
}

impl Affine<f32> {
    /// `(x - mean) * scale + shift`.
    pub fn new(mean: f64, scale: f64, shift: f64) -> Self {
        let center = mean as f32;
        Affine {
            center,
            scale: scale as f32,
            shift: (shift - (mean - f64::from(center)) * scale) as f32,
        }
    }

    pub fn splat<S: Simd>(self, simd: S) -> Affine<S::f32s> {
        Affine {
            center: simd.splat_f32s(self.center),
            scale: simd.splat_f32s(self.scale),
            shift: simd.splat_f32s(self.shift),
        }
    }

    /// The output.
    #[inline(always)]
    pub fn apply<const RELU: bool>(self, x: f32) -> f32 {
        let y = (x - self.center) * self.scale + self.shift;
        if RELU && y <= 0.0 { 0.0 } else { y }
    }

    /// The gradient by what a ReLU reads, from the gradient by what it gives.
    #[inline(always)]
    pub fn clip<const RELU: bool>(self, gradient: f32, x: f32) -> f32 {
        let dead = RELU && (x - self.center) * self.scale + self.shift <= 0.0;
        if dead { 0.0 } else { gradient }
    }
}

/// The output; a NaN stays one.
#[inline(always)]
pub fn apply<S: Simd, const RELU: bool>(simd: S, affine: Affine<S::f32s>, x: S::f32s) -> S::f32s {
    let centered = simd.sub_f32s(x, affine.center);
    let y = simd.mul_add_e_f32s(centered, affine.scale, affine.shift);
    if RELU {
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.less_than_or_equal_f32s(y, zero), zero, y)
    } else {
        y
    }
}

/// The gradient by what a ReLU reads, from the gradient by what it gives. What it read is computed
/// again from `x`, which the backward pass reads in any case.
#[inline(always)]
pub fn clip<S: Simd, const RELU: bool>(
    simd: S,
    affine: Affine<S::f32s>,
    gradient: S::f32s,
    x: S::f32s,
) -> S::f32s {
    if RELU {
        let y = apply::<S, false>(simd, affine, x);
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.less_than_or_equal_f32s(y, zero), zero, gradient)
    } else {
        gradient
    }
}
