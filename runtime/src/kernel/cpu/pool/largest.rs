//! The largest number of each window, and which it was.

use burn::tensor::ops::MaxPoolOptions;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::axis::Axis;
use super::planes;

/// A max pooling of `[images, channels, height, width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Images and channels.
    leading: [usize; 2],
    rows: Axis,
    columns: Axis,
}

impl MaxPool {
    /// The pooling of an input of this shape; none where there is nothing to pool, or the windows
    /// are too large for an index of one byte.
    pub fn new(input: [usize; 4], options: &MaxPoolOptions<2>) -> Option<Self> {
        let [images, channels, height, width] = input;
        let axis = |axis: usize, input| {
            let window = (
                options.kernel_size[axis],
                options.stride[axis],
                options.dilation[axis],
            );
            Axis::new(input, window, options.padding[axis], options.ceil_mode)
        };
        let (rows, columns) = (axis(0, height)?, axis(1, width)?);
        let taps = rows.kernel.checked_mul(columns.kernel)?;
        let some = images * channels * height * width > 0;
        (some && taps <= 1 << u8::BITS).then_some(MaxPool {
            leading: [images, channels],
            rows,
            columns,
        })
    }

    /// The output's shape.
    pub fn output(&self) -> [usize; 4] {
        let [images, channels] = self.leading;
        [images, channels, self.rows.outputs, self.columns.outputs]
    }

    /// The input's shape.
    pub fn input(&self) -> [usize; 4] {
        let [images, channels] = self.leading;
        [images, channels, self.rows.input, self.columns.input]
    }

    /// The output, and for each number of it which of its window it was. Of equal numbers that is
    /// the first; a NaN counts as larger than any number.
    pub fn forward(&self, input: &[f32]) -> (Vec<f32>, Vec<u8>) {
        let length: usize = self.output().iter().product();
        let (mut output, mut indices) = (vec![0.0; length], vec![0; length]);
        let planes = planes(self.plane());
        output
            .par_chunks_mut(planes * self.windows())
            .zip(indices.par_chunks_mut(planes * self.windows()))
            .zip(input.par_chunks(planes * self.plane()))
            .for_each(|((output, indices), input)| {
                let forward = Forward {
                    pool: self,
                    input,
                    output,
                    indices,
                };
                Arch::new().dispatch(forward);
            });
        (output, indices)
    }

    /// Of `input` the numbers that stand where [`forward`](Self::forward) found the largest.
    pub fn pick(&self, input: &[f32], indices: &[u8]) -> Vec<f32> {
        let mut output = vec![0.0; self.output().iter().product()];
        let planes = planes(self.plane());
        output
            .par_chunks_mut(planes * self.windows())
            .zip(indices.par_chunks(planes * self.windows()))
            .zip(input.par_chunks(planes * self.plane()))
            .for_each(|((output, indices), input)| {
                let planes = input.chunks_exact(self.plane());
                let windows = output.chunks_exact_mut(self.windows());
                let windows = windows.zip(indices.chunks_exact(self.windows()));
                for (input, (output, indices)) in planes.zip(windows) {
                    if self.is_squares() {
                        squares_pick(&self.columns, input, output, indices);
                    } else {
                        pick(self, input, output, indices);
                    }
                }
            });
        output
    }

    /// The gradient by the input, from the gradient of the output.
    pub fn backward(&self, gradient: &[f32], indices: &[u8]) -> Vec<f32> {
        let mut input = vec![0.0; self.input().iter().product()];
        let planes = planes(self.plane());
        input
            .par_chunks_mut(planes * self.plane())
            .zip(gradient.par_chunks(planes * self.windows()))
            .zip(indices.par_chunks(planes * self.windows()))
            .for_each(|((input, gradient), indices)| {
                let backward = Backward {
                    pool: self,
                    input,
                    gradient,
                    indices,
                };
                Arch::new().dispatch(backward);
            });
        input
    }

    /// Numbers in a plane of the input.
    fn plane(&self) -> usize {
        self.rows.input * self.columns.input
    }

    /// Numbers in a plane of the output.
    fn windows(&self) -> usize {
        self.rows.outputs * self.columns.outputs
    }

    /// Whether each window is a square of four that it shares with no other.
    fn is_squares(&self) -> bool {
        self.rows.is_pairs() && self.columns.is_pairs()
    }
}

/// A few planes.
struct Forward<'a> {
    pool: &'a MaxPool,
    input: &'a [f32],
    output: &'a mut [f32],
    indices: &'a mut [u8],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Forward {
            pool,
            input,
            output,
            indices,
        } = self;
        let squares = pool.is_squares();
        let first: Vec<_> = (0..pool.columns.outputs)
            .map(|column| pool.columns.taps(column).start as u8)
            .collect();
        for ((input, output), indices) in input
            .chunks_exact(pool.plane())
            .zip(output.chunks_exact_mut(pool.windows()))
            .zip(indices.chunks_exact_mut(pool.windows()))
        {
            if squares {
                squares_forward(&pool.columns, input, output, indices);
            } else {
                forward(pool, &first, input, output, indices);
            }
        }
    }
}

#[inline(always)]
fn take_larger(largest: &mut f32, index: &mut u8, value: f32, tap: u8) {
    let larger = (value > *largest) | value.is_nan();
    *largest = if larger { value } else { *largest };
    *index = if larger { tap } else { *index };
}

/// One plane. `first` is the first tap of each column that lies in the input.
#[inline(always)]
fn forward(pool: &MaxPool, first: &[u8], input: &[f32], output: &mut [f32], indices: &mut [u8]) {
    let (rows, columns) = (&pool.rows, &pool.columns);
    for (row, (output, indices)) in output
        .chunks_exact_mut(columns.outputs)
        .zip(indices.chunks_exact_mut(columns.outputs))
        .enumerate()
    {
        let taps = rows.taps(row);
        output.fill(f32::NEG_INFINITY);
        let start = (taps.start * columns.kernel) as u8;
        for (index, first) in indices.iter_mut().zip(first) {
            *index = start + first;
        }
        for tap in taps {
            let line = &input[rows.at(row, tap) * columns.input..];
            for column in 0..columns.kernel {
                let outputs = columns.outputs(column);
                if outputs.is_empty() {
                    continue;
                }
                let from = &line[columns.at(outputs.start, column)..];
                let index = (tap * columns.kernel + column) as u8;
                let output = &mut output[outputs.clone()];
                let indices = &mut indices[outputs];
                take(columns.stride, from, output, indices, index);
            }
        }
    }
}

/// What one tap reads along a row.
#[inline(always)]
fn take(stride: usize, from: &[f32], output: &mut [f32], indices: &mut [u8], tap: u8) {
    let whole = match stride {
        1 => take_fixed::<1>(from, output, indices, tap),
        2 => take_fixed::<2>(from, output, indices, tap),
        _ => false,
    };
    if !whole {
        let outputs = output.iter_mut().zip(indices);
        for ((largest, index), value) in outputs.zip(from.iter().step_by(stride)) {
            take_larger(largest, index, *value, tap);
        }
    }
}

/// The same for a stride that the compiler knows; false where the last window reads the last
/// numbers of all.
#[inline(always)]
fn take_fixed<const STRIDE: usize>(
    from: &[f32],
    output: &mut [f32],
    indices: &mut [u8],
    tap: u8,
) -> bool {
    let Some(from) = from.get(..output.len() * STRIDE) else {
        return false;
    };
    let outputs = output.iter_mut().zip(indices);
    for ((largest, index), value) in outputs.zip(from.as_chunks::<STRIDE>().0) {
        take_larger(largest, index, value[0], tap);
    }
    true
}

/// One plane of windows of 2 by 2 that lie side by side.
#[inline(always)]
fn squares_forward(columns: &Axis, input: &[f32], output: &mut [f32], indices: &mut [u8]) {
    for ((lines, output), indices) in input
        .chunks_exact(2 * columns.input)
        .zip(output.chunks_exact_mut(columns.outputs))
        .zip(indices.chunks_exact_mut(columns.outputs))
    {
        let (upper, lower) = lines.split_at(columns.input);
        let squares = upper.as_chunks().0.iter().zip(lower.as_chunks().0);
        for ((output, index), ([a, b], [c, d])) in output.iter_mut().zip(indices).zip(squares) {
            let (mut largest, mut at) = (*a, 0);
            take_larger(&mut largest, &mut at, *b, 1);
            take_larger(&mut largest, &mut at, *c, 2);
            take_larger(&mut largest, &mut at, *d, 3);
            (*output, *index) = (largest, at);
        }
    }
}

/// One plane.
fn pick(pool: &MaxPool, input: &[f32], output: &mut [f32], indices: &[u8]) {
    let (rows, columns) = (&pool.rows, &pool.columns);
    for (row, (output, indices)) in output
        .chunks_exact_mut(columns.outputs)
        .zip(indices.chunks_exact(columns.outputs))
        .enumerate()
    {
        for (column, (output, index)) in output.iter_mut().zip(indices).enumerate() {
            let index = usize::from(*index);
            let row = rows.at(row, index / columns.kernel);
            let column = columns.at(column, index % columns.kernel);
            *output = input[row * columns.input + column];
        }
    }
}

/// One plane of windows of 2 by 2 that lie side by side.
fn squares_pick(columns: &Axis, input: &[f32], output: &mut [f32], indices: &[u8]) {
    for ((lines, output), indices) in input
        .chunks_exact(2 * columns.input)
        .zip(output.chunks_exact_mut(columns.outputs))
        .zip(indices.chunks_exact(columns.outputs))
    {
        let (upper, lower) = lines.split_at(columns.input);
        let squares = upper.as_chunks().0.iter().zip(lower.as_chunks().0);
        for ((output, index), ([a, b], [c, d])) in output.iter_mut().zip(indices).zip(squares) {
            *output = [*a, *b, *c, *d][usize::from(*index & 3)];
        }
    }
}

/// A few planes.
struct Backward<'a> {
    pool: &'a MaxPool,
    input: &'a mut [f32],
    gradient: &'a [f32],
    indices: &'a [u8],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Backward {
            pool,
            input,
            gradient,
            indices,
        } = self;
        let squares = pool.is_squares();
        for ((input, gradient), indices) in input
            .chunks_exact_mut(pool.plane())
            .zip(gradient.chunks_exact(pool.windows()))
            .zip(indices.chunks_exact(pool.windows()))
        {
            if squares {
                squares_backward(&pool.columns, input, gradient, indices);
            } else {
                backward(pool, input, gradient, indices);
            }
        }
    }
}

/// One plane.
#[inline(always)]
fn backward(pool: &MaxPool, input: &mut [f32], gradient: &[f32], indices: &[u8]) {
    let (rows, columns) = (&pool.rows, &pool.columns);
    for (row, (gradient, indices)) in gradient
        .chunks_exact(columns.outputs)
        .zip(indices.chunks_exact(columns.outputs))
        .enumerate()
    {
        for (column, (gradient, index)) in gradient.iter().zip(indices).enumerate() {
            let index = usize::from(*index);
            let row = rows.at(row, index / columns.kernel);
            let column = columns.at(column, index % columns.kernel);
            input[row * columns.input + column] += gradient;
        }
    }
}

/// One plane of windows of 2 by 2 that lie side by side.
#[inline(always)]
fn squares_backward(columns: &Axis, input: &mut [f32], gradient: &[f32], indices: &[u8]) {
    for ((lines, gradient), indices) in input
        .chunks_exact_mut(2 * columns.input)
        .zip(gradient.chunks_exact(columns.outputs))
        .zip(indices.chunks_exact(columns.outputs))
    {
        let (upper, lower) = lines.split_at_mut(columns.input);
        let squares = upper.as_chunks_mut().0.iter_mut();
        let squares = squares.zip(lower.as_chunks_mut().0);
        for ((upper, lower), (gradient, index)) in squares.zip(gradient.iter().zip(indices)) {
            // No branch: which of four is the largest cannot be foreseen.
            let at = |tap| {
                let mask = u32::from(*index == tap).wrapping_neg();
                f32::from_bits(gradient.to_bits() & mask)
            };
            *upper = [at(0), at(1)];
            *lower = [at(2), at(3)];
        }
    }
}
