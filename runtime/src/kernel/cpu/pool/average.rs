//! The mean of each window.

use burn::tensor::ops::AvgPoolOptions;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::axis::Axis;
use super::planes;

/// An average pooling of `[images, channels, height, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AveragePool {
    /// Images and channels.
    leading: [usize; 2],
    rows: Axis,
    columns: Axis,
    /// How many numbers are counted along a window of each row and of each column.
    counts: (Vec<f32>, Vec<f32>),
}

impl AveragePool {
    /// The pooling of an input of this shape; none where there is nothing to pool.
    pub fn new(input: [usize; 4], options: &AvgPoolOptions<2>) -> Option<Self> {
        let [images, channels, height, width] = input;
        let axis = |axis: usize, input| {
            let window = (options.kernel_size[axis], options.stride[axis], 1);
            Axis::new(input, window, options.padding[axis], options.ceil_mode)
        };
        let (rows, columns) = (axis(0, height)?, axis(1, width)?);
        let counts = |axis: &Axis| {
            let count = |output| match options.count_include_pad {
                true => axis.padded(output),
                false => axis.taps(output).len(),
            };
            (0..axis.outputs)
                .map(|output| count(output) as f32)
                .collect()
        };
        let some = images * channels * height * width > 0;
        some.then(|| AveragePool {
            leading: [images, channels],
            counts: (counts(&rows), counts(&columns)),
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

    /// The output.
    pub fn forward(&self, input: &[f32]) -> Vec<f32> {
        let mut output = vec![0.0; self.output().iter().product()];
        let (plane, windows) = self.planes();
        let planes = planes(plane);
        output
            .par_chunks_mut(planes * windows)
            .zip(input.par_chunks(planes * plane))
            .for_each(|(output, input)| {
                let pool = self;
                Arch::new().dispatch(Forward {
                    pool,
                    input,
                    output,
                });
            });
        output
    }

    /// The gradient by the input, from the gradient of the output.
    pub fn backward(&self, gradient: &[f32]) -> Vec<f32> {
        let mut input = vec![0.0; self.input().iter().product()];
        let (plane, windows) = self.planes();
        let planes = planes(plane);
        input
            .par_chunks_mut(planes * plane)
            .zip(gradient.par_chunks(planes * windows))
            .for_each(|(input, gradient)| {
                let pool = self;
                Arch::new().dispatch(Backward {
                    pool,
                    input,
                    gradient,
                });
            });
        input
    }

    /// Numbers in a plane of the input and of the output.
    fn planes(&self) -> (usize, usize) {
        (
            self.rows.input * self.columns.input,
            self.rows.outputs * self.columns.outputs,
        )
    }
}

/// A few planes.
struct Forward<'a> {
    pool: &'a AveragePool,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (rows, columns) = (&self.pool.rows, &self.pool.columns);
        let (plane, windows) = self.pool.planes();
        let squares = rows.is_pairs() && columns.is_pairs();
        for (input, output) in self
            .input
            .chunks_exact(plane)
            .zip(self.output.chunks_exact_mut(windows))
        {
            if squares {
                squares_forward(columns, input, output);
            } else {
                forward(self.pool, input, output);
            }
        }
    }
}

/// One plane.
#[inline(always)]
fn forward(pool: &AveragePool, input: &[f32], output: &mut [f32]) {
    let (rows, columns) = (&pool.rows, &pool.columns);
    for (row, output) in output.chunks_exact_mut(columns.outputs).enumerate() {
        for tap in rows.taps(row) {
            let line = &input[rows.at(row, tap) * columns.input..];
            for column in 0..columns.kernel {
                let outputs = columns.outputs(column);
                if outputs.is_empty() {
                    continue;
                }
                let from = &line[columns.at(outputs.start, column)..];
                add(columns.stride, from, &mut output[outputs]);
            }
        }
        let height = pool.counts.0[row];
        for (output, width) in output.iter_mut().zip(&pool.counts.1) {
            *output /= height * width;
        }
    }
}

/// Adds to `to` what one tap reads along a row.
#[inline(always)]
fn add(stride: usize, from: &[f32], to: &mut [f32]) {
    let whole = match stride {
        1 => add_fixed::<1>(from, to),
        2 => add_fixed::<2>(from, to),
        _ => false,
    };
    if !whole {
        for (to, from) in to.iter_mut().zip(from.iter().step_by(stride)) {
            *to += from;
        }
    }
}

/// The same for a stride that the compiler knows; false where the last window reads the last
/// numbers of all.
#[inline(always)]
fn add_fixed<const STRIDE: usize>(from: &[f32], to: &mut [f32]) -> bool {
    let Some(from) = from.get(..to.len() * STRIDE) else {
        return false;
    };
    for (to, from) in to.iter_mut().zip(from.as_chunks::<STRIDE>().0) {
        *to += from[0];
    }
    true
}

/// One plane of windows of 2 by 2 that lie side by side.
#[inline(always)]
fn squares_forward(columns: &Axis, input: &[f32], output: &mut [f32]) {
    for (lines, output) in input
        .chunks_exact(2 * columns.input)
        .zip(output.chunks_exact_mut(columns.outputs))
    {
        let (upper, lower) = lines.split_at(columns.input);
        let squares = upper.as_chunks().0.iter().zip(lower.as_chunks().0);
        for (output, ([a, b], [c, d])) in output.iter_mut().zip(squares) {
            *output = ((a + b) + (c + d)) * 0.25;
        }
    }
}

/// A few planes.
struct Backward<'a> {
    pool: &'a AveragePool,
    input: &'a mut [f32],
    gradient: &'a [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (rows, columns) = (&self.pool.rows, &self.pool.columns);
        let (plane, windows) = self.pool.planes();
        let squares = rows.is_pairs() && columns.is_pairs();
        let mut shares = vec![0.0; columns.outputs];
        for (input, gradient) in self
            .input
            .chunks_exact_mut(plane)
            .zip(self.gradient.chunks_exact(windows))
        {
            if squares {
                squares_backward(columns, input, gradient);
            } else {
                backward(self.pool, &mut shares, input, gradient);
            }
        }
    }
}

/// One plane; `shares` has room for what the numbers of each window of a row get.
#[inline(always)]
fn backward(pool: &AveragePool, shares: &mut [f32], input: &mut [f32], gradient: &[f32]) {
    let (rows, columns) = (&pool.rows, &pool.columns);
    for (row, gradient) in gradient.chunks_exact(columns.outputs).enumerate() {
        let height = pool.counts.0[row];
        for ((share, gradient), width) in shares.iter_mut().zip(gradient).zip(&pool.counts.1) {
            *share = gradient / (height * width);
        }
        for tap in rows.taps(row) {
            let line = &mut input[rows.at(row, tap) * columns.input..];
            for column in 0..columns.kernel {
                let outputs = columns.outputs(column);
                if outputs.is_empty() {
                    continue;
                }
                let to = &mut line[columns.at(outputs.start, column)..];
                spread(columns.stride, &shares[outputs], to);
            }
        }
    }
}

/// Adds each share to what one tap reads along a row.
#[inline(always)]
fn spread(stride: usize, shares: &[f32], to: &mut [f32]) {
    let whole = match stride {
        1 => spread_fixed::<1>(shares, to),
        2 => spread_fixed::<2>(shares, to),
        _ => false,
    };
    if !whole {
        for (share, to) in shares.iter().zip(to.iter_mut().step_by(stride)) {
            *to += share;
        }
    }
}

#[inline(always)]
fn spread_fixed<const STRIDE: usize>(shares: &[f32], to: &mut [f32]) -> bool {
    let Some(to) = to.get_mut(..shares.len() * STRIDE) else {
        return false;
    };
    for (share, to) in shares.iter().zip(to.as_chunks_mut::<STRIDE>().0) {
        to[0] += share;
    }
    true
}

/// One plane of windows of 2 by 2 that lie side by side.
#[inline(always)]
fn squares_backward(columns: &Axis, input: &mut [f32], gradient: &[f32]) {
    for (lines, gradient) in input
        .chunks_exact_mut(2 * columns.input)
        .zip(gradient.chunks_exact(columns.outputs))
    {
        let (upper, lower) = lines.split_at_mut(columns.input);
        let squares = upper.as_chunks_mut().0.iter_mut();
        let squares = squares.zip(lower.as_chunks_mut().0);
        for ((upper, lower), gradient) in squares.zip(gradient) {
            *upper = [gradient * 0.25; 2];
            *lower = [gradient * 0.25; 2];
        }
    }
}
