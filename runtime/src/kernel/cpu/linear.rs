//! The linear map `x W + b` of rows, and its gradients.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::host::Host;
use super::pointwise::SHARE;
use super::record::Step;
use super::vector::update;

/// Into how many parts the rows are split at most when they are summed, see
/// [`column_sums`].
const PARTS: usize = 16;

/// `x W + b` of `[rows, inputs]` and `[inputs, outputs]`.
pub fn forward<B: Host>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<&FloatTensor<B>>,
) -> FloatTensor<B> {
    let output = B::float_matmul(input, weight);
    match bias {
        Some(bias) => B::update(output, |values| add_row(values, &B::read(bias))),
        None => output,
    }
}

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub struct Linear<B: Host> {
    pub input: FloatTensor<B>,
    pub weight: FloatTensor<B>,
}

impl<B: Host> Linear<B> {
    fn run(self, output: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        let by_bias = wanted[2].then(|| {
            let outputs = self.weight.shape()[1];
            let sums = column_sums(&B::read(&output), outputs);
            B::make(sums, [outputs], &output)
        });
        let by_input =
            wanted[0].then(|| B::float_matmul(output.clone(), B::float_transpose(self.weight)));
        let by_weight = wanted[1].then(|| B::float_matmul(B::float_transpose(self.input), output));
        [by_input, by_weight, by_bias]
    }
}

impl<B: Host> Step<B, 3> for Linear<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        self.run(output, wanted)
    }
}

impl<B: Host> Step<B, 2> for Linear<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let [by_input, by_weight, _] = self.run(output, [wanted[0], wanted[1], false]);
        [by_input, by_weight]
    }
}

/// Adds a row to each row.
fn add_row(values: &mut [f32], row: &[f32]) {
    let share = SHARE.div_ceil(row.len()) * row.len();
    values
        .par_chunks_mut(share)
        .for_each(|values| Arch::new().dispatch(AddRow { values, row }));
}

struct AddRow<'a> {
    values: &'a mut [f32],
    row: &'a [f32],
}

impl WithSimd for AddRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for values in self.values.chunks_exact_mut(self.row.len()) {
            update(
                simd,
                values,
                [self.row],
                #[inline(always)]
                |a, [b]| simd.add_f32s(a, b),
            );
        }
    }
}

/// The sum of all rows. Each part of them has a sum of its own, which are added in order: the
/// result does not depend on the number of threads.
fn column_sums(values: &[f32], width: usize) -> Vec<f32> {
    let rows = (values.len() / width).div_ceil(PARTS);
    let rows = rows.max((SHARE / 4).div_ceil(width));
    let parts: Vec<Vec<f32>> = values
        .par_chunks(rows * width)
        .map(|values| {
            let mut sums = vec![0.0; width];
            let part = Sum {
                values,
                sums: &mut sums,
            };
            Arch::new().dispatch(part);
            sums
        })
        .collect();
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_else(|| vec![0.0; width]);
    for part in parts {
        for (total, part) in total.iter_mut().zip(part) {
            *total += part;
        }
    }
    total
}

struct Sum<'a> {
    values: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.values.chunks_exact(self.sums.len()) {
            update(
                simd,
                self.sums,
                [row],
                #[inline(always)]
                |a, [b]| simd.add_f32s(a, b),
            );
        }
    }
}
