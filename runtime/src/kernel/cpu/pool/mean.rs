//! The mean of each whole plane.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::planes;

/// The mean over height and width of `[images, channels, height, width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalMean {
    input: [usize; 4],
}

impl GlobalMean {
    /// The mean of an input of this shape; none where there are no numbers.
    pub fn new(input: [usize; 4]) -> Option<Self> {
        (input.iter().product::<usize>() > 0).then_some(GlobalMean { input })
    }

    /// The output's shape.
    pub fn output(&self) -> [usize; 2] {
        let [images, channels, ..] = self.input;
        [images, channels]
    }

    /// The input's shape.
    pub fn input(&self) -> [usize; 4] {
        self.input
    }

    /// The output.
    pub fn forward(&self, input: &[f32]) -> Vec<f32> {
        let length = self.length();
        let planes = planes(length);
        let mut output = vec![0.0; input.len() / length];
        output
            .par_chunks_mut(planes)
            .zip(input.par_chunks(planes * length))
            .for_each(|(output, input)| {
                Arch::new().dispatch(Means {
                    length,
                    input,
                    output,
                });
            });
        output
    }

    /// The gradient by the input, from the gradient of the output.
    pub fn backward(&self, gradient: &[f32]) -> Vec<f32> {
        let length = self.length();
        let planes = planes(length);
        let mut input = vec![0.0; gradient.len() * length];
        input
            .par_chunks_mut(planes * length)
            .zip(gradient.par_chunks(planes))
            .for_each(|(input, gradient)| {
                for (input, gradient) in input.chunks_exact_mut(length).zip(gradient) {
                    input.fill(gradient / length as f32);
                }
            });
        input
    }

    /// Numbers in a plane.
    fn length(&self) -> usize {
        let [.., height, width] = self.input;
        height * width
    }
}

/// The means of a few planes.
struct Means<'a> {
    length: usize,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let planes = self.input.chunks_exact(self.length);
        for (output, plane) in self.output.iter_mut().zip(planes) {
            let (vectors, rest) = S::as_simd_f32s(plane);
            let (groups, single) = pulp::as_arrays::<4, _>(vectors);
            let mut sums = [simd.splat_f32s(0.0); 4];
            for group in groups {
                for (sum, vector) in sums.iter_mut().zip(group) {
                    *sum = simd.add_f32s(*sum, *vector);
                }
            }
            for (sum, vector) in sums.iter_mut().zip(single) {
                *sum = simd.add_f32s(*sum, *vector);
            }
            let [a, b, c, d] = sums;
            let sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
            let sum = simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>();
            *output = sum / self.length as f32;
        }
    }
}
