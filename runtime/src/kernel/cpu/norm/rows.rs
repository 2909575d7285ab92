//! Planes that are too short for vectors, single numbers as a rule: the rows of a matrix with a
//! column for each number of an example are read instead.

use pulp::{Simd, WithSimd};

use super::element::Affine;

/// The mean of each column of a block, and the sum of the squares of the distances from it.
pub struct Moments<'a> {
    pub input: &'a [f32],
    pub moments: &'a mut [[f64; 2]],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let columns = self.moments.len();
        let count = (self.input.len() / columns) as f32;
        let mut near = vec![0.0; columns];
        for row in self.input.chunks_exact(columns) {
            for (near, x) in near.iter_mut().zip(row) {
                *near += x;
            }
        }
        for near in &mut near {
            *near /= count;
        }
        let (mut sums, mut squares) = (vec![0.0; columns], vec![0.0; columns]);
        for row in self.input.chunks_exact(columns) {
            let sums = sums.iter_mut().zip(&mut squares);
            for ((sum, square), (x, near)) in sums.zip(row.iter().zip(&near)) {
                let distance: f32 = x - near;
                *sum += distance;
                *square += distance * distance;
            }
        }
        let sums = sums.into_iter().zip(squares);
        for (moments, (near, (sum, squares))) in self.moments.iter_mut().zip(near.iter().zip(sums))
        {
            let (sum, squares) = (f64::from(sum), f64::from(squares));
            let offset = sum / f64::from(count);
            *moments = [f64::from(*near) + offset, squares - sum * offset];
        }
    }
}

/// The output of a block, in place of a copy of the input or of the input itself.
pub struct Apply<'a, const RELU: bool> {
    pub affine: &'a [Affine<f32>],
    pub input: Option<&'a [f32]>,
    pub output: &'a mut [f32],
}

impl<const RELU: bool> WithSimd for Apply<'_, RELU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        if let Some(input) = self.input {
            self.output.copy_from_slice(input);
        }
        for row in self.output.chunks_exact_mut(self.affine.len()) {
            for (x, affine) in row.iter_mut().zip(self.affine) {
                *x = affine.apply::<RELU>(*x);
            }
        }
    }
}

/// For each column of a block, the sum of the gradient of the output, and of that times the
/// distance from the center.
pub struct Sums<'a, const RELU: bool> {
    pub affine: &'a [Affine<f32>],
    pub input: &'a [f32],
    pub gradient: &'a [f32],
    pub sums: &'a mut [[f64; 2]],
}

impl<const RELU: bool> WithSimd for Sums<'_, RELU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let columns = self.affine.len();
        let (mut sums, mut products) = (vec![0.0; columns], vec![0.0; columns]);
        let rows = self.input.chunks_exact(columns);
        for (row, gradients) in rows.zip(self.gradient.chunks_exact(columns)) {
            let sums = sums.iter_mut().zip(&mut products).zip(self.affine);
            for (((sum, product), affine), (x, gradient)) in sums.zip(row.iter().zip(gradients)) {
                let gradient = affine.clip::<RELU>(*gradient, *x);
                *sum += gradient;
                *product += gradient * (x - affine.center);
            }
        }
        for (total, (sum, product)) in self.sums.iter_mut().zip(sums.iter().zip(&products)) {
            *total = [f64::from(*sum), f64::from(*product)];
        }
    }
}

/// The gradient by the input of a block, `scale * gradient + slope * (x - center) + constant`, in
/// place of the gradient of the output.
pub struct Gradient<'a, const RELU: bool> {
    pub affine: &'a [Affine<f32>],
    pub terms: &'a [[f32; 2]],
    pub input: &'a [f32],
    pub gradient: &'a mut [f32],
}

impl<const RELU: bool> WithSimd for Gradient<'_, RELU> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let columns = self.affine.len();
        let rows = self.input.chunks_exact(columns);
        for (row, gradients) in rows.zip(self.gradient.chunks_exact_mut(columns)) {
            let channels = self.affine.iter().zip(self.terms);
            for ((gradient, x), (affine, [slope, constant])) in
                gradients.iter_mut().zip(row).zip(channels)
            {
                let clipped = affine.clip::<RELU>(*gradient, *x);
                let rest = (x - affine.center) * slope + constant;
                *gradient = clipped * affine.scale + rest;
            }
        }
    }
}
