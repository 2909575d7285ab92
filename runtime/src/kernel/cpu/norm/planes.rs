//! Long planes: each is read in vectors.

use pulp::{Simd, WithSimd};

use super::element::{Affine, apply, clip};

/// The planes of one channel.
#[inline(always)]
fn planes(
    block: &[f32],
    channel: usize,
    channels: usize,
    length: usize,
) -> impl Iterator<Item = &[f32]> {
    block.chunks_exact(length).skip(channel).step_by(channels)
}

/// The mean of each channel of a block, and the sum of the squares of the distances from it.
pub struct Moments<'a> {
    pub length: usize,
    pub input: &'a [f32],
    pub moments: &'a mut [[f64; 2]],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.moments.len();
        let zero = simd.splat_f32s(0.0);
        let total = |sums: [S::f32s; 4]| {
            let [a, b, c, d] = sums;
            simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
        };
        let count = (self.input.len() / channels) as f32;
        for (channel, moments) in self.moments.iter_mut().enumerate() {
            let mut sums = [zero; 4];
            for plane in planes(self.input, channel, channels, self.length) {
                let (vectors, rest) = S::as_simd_f32s(plane);
                let (groups, single) = pulp::as_arrays::<4, _>(vectors);
                for group in groups {
                    for (sum, x) in sums.iter_mut().zip(group) {
                        *sum = simd.add_f32s(*sum, *x);
                    }
                }
                for (sum, x) in sums.iter_mut().zip(single) {
                    *sum = simd.add_f32s(*sum, *x);
                }
                if !rest.is_empty() {
                    sums[3] = simd.add_f32s(sums[3], simd.partial_load_f32s(rest));
                }
            }
            // Near the mean. The distances from it are small and exact, so are their sums.
            let near = total(sums) / count;
            let center = simd.splat_f32s(near);
            // Where `rest` has no number, the distance is 0.
            let rest = [near; 16];
            let rest = rest.get(..self.length % S::F32_LANES).unwrap_or_default();
            let rest_center = simd.partial_load_f32s(rest);
            let (mut sums, mut squares) = ([zero; 4], [zero; 4]);
            for plane in planes(self.input, channel, channels, self.length) {
                let (vectors, rest) = S::as_simd_f32s(plane);
                let (groups, single) = pulp::as_arrays::<4, _>(vectors);
                for group in groups {
                    for ((sum, square), x) in sums.iter_mut().zip(&mut squares).zip(group) {
                        let distance = simd.sub_f32s(*x, center);
                        *sum = simd.add_f32s(*sum, distance);
                        *square = simd.mul_add_e_f32s(distance, distance, *square);
                    }
                }
                for ((sum, square), x) in sums.iter_mut().zip(&mut squares).zip(single) {
                    let distance = simd.sub_f32s(*x, center);
                    *sum = simd.add_f32s(*sum, distance);
                    *square = simd.mul_add_e_f32s(distance, distance, *square);
                }
                if !rest.is_empty() {
                    let distance = simd.sub_f32s(simd.partial_load_f32s(rest), rest_center);
                    sums[3] = simd.add_f32s(sums[3], distance);
                    squares[3] = simd.mul_add_e_f32s(distance, distance, squares[3]);
                }
            }
            let (sum, squares) = (f64::from(total(sums)), f64::from(total(squares)));
            let offset = sum / f64::from(count);
            *moments = [f64::from(near) + offset, squares - sum * offset];
        }
    }
}

/// The output of a block, in place of a copy of the input or of the input itself.
pub struct Apply<'a, const RELU: bool> {
    pub length: usize,
    pub affine: &'a [Affine<f32>],
    pub input: Option<&'a [f32]>,
    pub output: &'a mut [f32],
}

impl<const RELU: bool> WithSimd for Apply<'_, RELU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut inputs = self.input.map(|input| input.chunks_exact(self.length));
        let planes = self.output.chunks_exact_mut(self.length);
        for (plane, affine) in planes.zip(self.affine.iter().cycle()) {
            if let Some(input) = inputs.as_mut().and_then(Iterator::next) {
                plane.copy_from_slice(input);
            }
            let affine = affine.splat(simd);
            let (vectors, rest) = S::as_mut_simd_f32s(plane);
            for x in vectors {
                *x = apply::<S, RELU>(simd, affine, *x);
            }
            if !rest.is_empty() {
                let x = simd.partial_load_f32s(rest);
                simd.partial_store_f32s(rest, apply::<S, RELU>(simd, affine, x));
            }
        }
    }
}

/// For each channel of a block, the sum of the gradient of the output, and of that times the
/// distance from the center.
pub struct Sums<'a, const RELU: bool> {
    pub length: usize,
    pub affine: &'a [Affine<f32>],
    pub input: &'a [f32],
    pub gradient: &'a [f32],
    pub sums: &'a mut [[f64; 2]],
}

impl<const RELU: bool> WithSimd for Sums<'_, RELU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.sums.len();
        let zero = simd.splat_f32s(0.0);
        let total = |[a, b]: [S::f32s; 2]| f64::from(simd.reduce_sum_f32s(simd.add_f32s(a, b)));
        for (channel, (total_sums, affine)) in self.sums.iter_mut().zip(self.affine).enumerate() {
            let affine = affine.splat(simd);
            let (mut sums, mut products) = ([zero; 2], [zero; 2]);
            let inputs = planes(self.input, channel, channels, self.length);
            let gradients = planes(self.gradient, channel, channels, self.length);
            for (x, gradient) in inputs.zip(gradients) {
                let (x, x_rest) = S::as_simd_f32s(x);
                let (gradient, gradient_rest) = S::as_simd_f32s(gradient);
                let (x, x_single) = pulp::as_arrays::<2, _>(x);
                let (gradient, gradient_single) = pulp::as_arrays::<2, _>(gradient);
                for (x, gradient) in x.iter().zip(gradient) {
                    for lane in 0..2 {
                        let gradient = clip::<S, RELU>(simd, affine, gradient[lane], x[lane]);
                        let distance = simd.sub_f32s(x[lane], affine.center);
                        sums[lane] = simd.add_f32s(sums[lane], gradient);
                        products[lane] = simd.mul_add_e_f32s(gradient, distance, products[lane]);
                    }
                }
                let rest = (!x_rest.is_empty()).then(|| {
                    let x = simd.partial_load_f32s(x_rest);
                    (x, simd.partial_load_f32s(gradient_rest))
                });
                let single = x_single
                    .iter()
                    .copied()
                    .zip(gradient_single.iter().copied());
                for (x, gradient) in single.chain(rest) {
                    let gradient = clip::<S, RELU>(simd, affine, gradient, x);
                    let distance = simd.sub_f32s(x, affine.center);
                    sums[0] = simd.add_f32s(sums[0], gradient);
                    products[0] = simd.mul_add_e_f32s(gradient, distance, products[0]);
                }
            }
            *total_sums = [total(sums), total(products)];
        }
    }
}

/// The gradient by the input of a block, `scale * gradient + slope * (x - center) + constant`, in
/// place of the gradient of the output.
pub struct Gradient<'a, const RELU: bool> {
    pub length: usize,
    pub affine: &'a [Affine<f32>],
    pub terms: &'a [[f32; 2]],
    pub input: &'a [f32],
    pub gradient: &'a mut [f32],
}

impl<const RELU: bool> WithSimd for Gradient<'_, RELU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lines = self.input.chunks_exact(self.length);
        let lines = lines.zip(self.gradient.chunks_exact_mut(self.length));
        let channels = self.affine.iter().zip(self.terms).cycle();
        for ((x, gradient), (affine, terms)) in lines.zip(channels) {
            let affine = affine.splat(simd);
            let [slope, constant] = terms.map(|term| simd.splat_f32s(term));
            let by_input = |gradient, x| {
                let gradient = clip::<S, RELU>(simd, affine, gradient, x);
                let distance = simd.sub_f32s(x, affine.center);
                let rest = simd.mul_add_e_f32s(distance, slope, constant);
                simd.mul_add_e_f32s(gradient, affine.scale, rest)
            };
            let (x, x_rest) = S::as_simd_f32s(x);
            let (gradient, gradient_rest) = S::as_mut_simd_f32s(gradient);
            for (gradient, x) in gradient.iter_mut().zip(x) {
                *gradient = by_input(*gradient, *x);
            }
            if !x_rest.is_empty() {
                let gradient = simd.partial_load_f32s(gradient_rest);
                let gradient = by_input(gradient, simd.partial_load_f32s(x_rest));
                simd.partial_store_f32s(gradient_rest, gradient);
            }
        }
    }
}
