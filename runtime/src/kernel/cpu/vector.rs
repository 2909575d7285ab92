//! What several kernels do with a vector of numbers.

use pulp::Simd;

/// `ln 2` in two parts, of which the first has few digits, so that its multiples are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// `(exp(r) - 1 - r) / r^2` for `r` within half of `ln 2` (Moshier, Cephes, `expf`).
const EXP: [f32; 6] = [
    1.987_569_1e-4,
    1.398_199_9e-3,
    8.333_452e-3,
    4.166_579_6e-2,
    1.666_666_5e-1,
    0.5,
];
/// Added to a number and taken away again, it rounds it to a whole one.
const ROUND: f32 = 12_582_912.0;
/// Below it, the exponential is no normal number.
const LOWEST: f32 = -87.0;

/// `exp(x)` for `x` up to 88, within 2 units in the last place; 0 where it would be below the
/// smallest normal number, NaN for NaN.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let splat = |value| simd.splat_f32s(value);
    let rounded = simd.mul_add_e_f32s(x, splat(std::f32::consts::LOG2_E), splat(ROUND));
    let whole = simd.sub_f32s(rounded, splat(ROUND));
    let r = simd.mul_add_e_f32s(whole, splat(-LN_2[0]), x);
    let r = simd.mul_add_e_f32s(whole, splat(-LN_2[1]), r);
    let power = polynomial(simd, &EXP, r);
    let power = simd.mul_add_e_f32s(simd.mul_f32s(r, r), power, simd.add_f32s(r, splat(1.0)));
    // The whole number is in the last bits of the rounded one: they become the exponent.
    let bits = simd.transmute_u32s_f32s(rounded);
    let exponent = simd.wrapping_dyn_shl_u32s(bits, simd.splat_u32s(23));
    let exponent = simd.add_u32s(exponent, simd.splat_u32s(127 << 23));
    let value = simd.mul_f32s(power, simd.transmute_f32s_u32s(exponent));
    let lost = simd.less_than_f32s(x, splat(LOWEST));
    simd.select_f32s(lost, splat(0.0), value)
}

/// A polynomial, the highest coefficient first.
#[inline(always)]
pub fn polynomial<S: Simd, const N: usize>(
    simd: S,
    coefficients: &[f32; N],
    x: S::f32s,
) -> S::f32s {
    let mut sum = simd.splat_f32s(coefficients[0]);
    for coefficient in &coefficients[1..] {
        sum = simd.mul_add_e_f32s(sum, x, simd.splat_f32s(*coefficient));
    }
    sum
}

/// Writes to each number what `change` makes of it and of the numbers at its place in `others`.
#[inline(always)]
pub fn update<S: Simd, const N: usize>(
    simd: S,
    to: &mut [f32],
    others: [&[f32]; N],
    change: impl Fn(S::f32s, [S::f32s; N]) -> S::f32s,
) {
    let length = to.len();
    let others = others.map(|other| S::as_simd_f32s(&other[..length]));
    let (to, to_tail) = S::as_mut_simd_f32s(to);
    let count = to.len();
    let vectors = others.map(|(vectors, _)| &vectors[..count]);
    for (at, to) in to.iter_mut().enumerate() {
        *to = change(*to, vectors.map(|vectors| vectors[at]));
    }
    if !to_tail.is_empty() {
        let tails = others.map(|(_, tail)| simd.partial_load_f32s(tail));
        let changed = change(simd.partial_load_f32s(to_tail), tails);
        simd.partial_store_f32s(to_tail, changed);
    }
}

/// The sum over all places of what `term` makes of the numbers there; where all are 0, it must be 0.
#[inline(always)]
pub fn sum<S: Simd, const N: usize>(
    simd: S,
    of: [&[f32]; N],
    term: impl Fn([S::f32s; N]) -> S::f32s,
) -> f32 {
    let length = of[0].len();
    let of = of.map(|of| S::as_simd_f32s(&of[..length]));
    let count = of[0].0.len();
    let vectors = of.map(|(vectors, _)| &vectors[..count]);
    // Two sums, since an addition waits for the one before it.
    let mut sums = [simd.splat_f32s(0.0); 2];
    let mut at = 0;
    while at + 1 < count {
        sums[0] = simd.add_f32s(sums[0], term(vectors.map(|vectors| vectors[at])));
        sums[1] = simd.add_f32s(sums[1], term(vectors.map(|vectors| vectors[at + 1])));
        at += 2;
    }
    if at < count {
        sums[0] = simd.add_f32s(sums[0], term(vectors.map(|vectors| vectors[at])));
    }
    if !length.is_multiple_of(S::F32_LANES) {
        let tails = of.map(|(_, tail)| simd.partial_load_f32s(tail));
        sums[1] = simd.add_f32s(sums[1], term(tails));
    }
    simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]))
}

/// The largest number, minus infinity where there is none; NaN counts or does not.
#[inline(always)]
pub fn max<S: Simd>(simd: S, of: &[f32]) -> f32 {
    let (vectors, tail) = S::as_simd_f32s(of);
    let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
    for vector in vectors {
        largest = simd.max_f32s(largest, *vector);
    }
    let largest = simd.reduce_max_f32s(largest);
    tail.iter().fold(largest, |a, b| a.max(*b))
}
