//! Scaled dot-product attention (Vaswani et al. 2017), and its gradients.
//!
//! A head at a time, a block of queries at a time, so that scores stay in cache and are never held
//! for a whole batch; the backward pass computes them again from what each row was divided by (Dao
//! et al. 2022).

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::product::{Matrix, Start, product, transpose};
use super::vector::{exp, max, sum, update};

/// Queries that are worked on at once.
const QUERIES: usize = 48;

/// The sizes of an attention.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Examples times heads.
    pub heads: usize,
    /// How many queries and keys a head has.
    pub length: (usize, usize),
    /// Length of a query or key, and of a value.
    pub width: (usize, usize),
    /// Whether a query sees only the keys up to its own place; the last query is at the last key's.
    pub causal: bool,
}

/// What a thread works with.
#[derive(Default)]
struct Scratch {
    key: Vec<f32>,
    value: Vec<f32>,
    scores: Vec<f32>,
    gradients: Vec<f32>,
    panel: Vec<f32>,
}

impl Attention {
    /// `softmax(Q K' / sqrt(width)) V` for each head, and the logarithm of what each query's
    /// exponentials sum to.
    pub fn forward(&self, query: &[f32], key: &[f32], value: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (queries, keys) = self.length;
        let (width, value_width) = self.width;
        let mut output = vec![0.0; self.heads * queries * value_width];
        let mut logs = vec![0.0; self.heads * queries];
        output
            .par_chunks_exact_mut(queries * value_width)
            .zip(logs.par_chunks_exact_mut(queries))
            .zip(query.par_chunks_exact(queries * width))
            .zip(key.par_chunks_exact(keys * width))
            .zip(value.par_chunks_exact(keys * value_width))
            .for_each_init(
                Scratch::default,
                |scratch, ((((output, logs), query), key), value)| {
                    self.head(scratch, (output, logs), query, key, value);
                },
            );
        (output, logs)
    }

    fn head(
        &self,
        scratch: &mut Scratch,
        (output, logs): (&mut [f32], &mut [f32]),
        query: &[f32],
        key: &[f32],
        value: &[f32],
    ) {
        let (queries, keys) = self.length;
        let (width, value_width) = self.width;
        let Scratch {
            key: turned,
            scores,
            panel,
            ..
        } = scratch;
        transpose(turned, key, keys, width);
        for (first, last) in blocks(queries) {
            let count = last - first;
            let seen = self.seen(last - 1);
            let query = Matrix::new(&query[first * width..last * width], count, width);
            let turned = Matrix::new(turned, width, keys).first_columns(seen);
            scores.resize(count * seen, 0.0);
            product(panel, scores, query, turned, Start::Zero);
            Arch::new().dispatch(Probabilities {
                scores,
                logs: &mut logs[first..last],
                attention: self,
                first,
            });
            let scores = Matrix::new(scores, count, seen);
            let value = Matrix::new(&value[..seen * value_width], seen, value_width);
            let output = &mut output[first * value_width..last * value_width];
            product(panel, output, scores, value, Start::Zero);
        }
    }

    /// The gradients by query, key and value.
    pub fn backward(
        &self,
        gradient: &[f32],
        [query, key, value]: [&[f32]; 3],
        output: &[f32],
        logs: &[f32],
    ) -> [Vec<f32>; 3] {
        let (queries, keys) = self.length;
        let (width, value_width) = self.width;
        let mut gradients = [query, key, value].map(|of| vec![0.0; of.len()]);
        let [by_query, by_key, by_value] = &mut gradients;
        by_query
            .par_chunks_exact_mut(queries * width)
            .zip(by_key.par_chunks_exact_mut(keys * width))
            .zip(by_value.par_chunks_exact_mut(keys * value_width))
            .enumerate()
            .for_each_init(
                Scratch::default,
                |scratch, (head, ((by_query, by_key), by_value))| {
                    let at = |of, length| chunk(of, head, length);
                    let read = Read {
                        gradient: at(gradient, queries * value_width),
                        query: at(query, queries * width),
                        key: at(key, keys * width),
                        value: at(value, keys * value_width),
                        output: at(output, queries * value_width),
                        logs: at(logs, queries),
                    };
                    self.head_backward(scratch, &read, [by_query, by_key, by_value]);
                },
            );
        gradients
    }

    fn head_backward(
        &self,
        scratch: &mut Scratch,
        read: &Read,
        [by_query, by_key, by_value]: [&mut [f32]; 3],
    ) {
        let (queries, keys) = self.length;
        let (width, value_width) = self.width;
        let Scratch {
            key,
            value,
            scores,
            gradients,
            panel,
        } = scratch;
        transpose(key, read.key, keys, width);
        transpose(value, read.value, keys, value_width);
        for (first, last) in blocks(queries) {
            let count = last - first;
            let seen = self.seen(last - 1);
            let rows = |of, width| chunk_between(of, first * width, last * width);
            let query = Matrix::new(rows(read.query, width), count, width);
            let gradient = Matrix::new(rows(read.gradient, value_width), count, value_width);
            scores.resize(count * seen, 0.0);
            gradients.resize(count * seen, 0.0);
            let turned = Matrix::new(key, width, keys).first_columns(seen);
            product(panel, scores, query, turned, Start::Zero);
            let turned = Matrix::new(value, value_width, keys).first_columns(seen);
            product(panel, gradients, gradient, turned, Start::Zero);
            Arch::new().dispatch(Backward {
                scores,
                gradients,
                output: rows(read.output, value_width),
                output_gradient: rows(read.gradient, value_width),
                logs: rows(read.logs, 1),
                attention: self,
                first,
            });
            let scores = Matrix::new(scores, count, seen);
            let gradients = Matrix::new(gradients, count, seen);
            let keys = Matrix::new(&read.key[..seen * width], seen, width);
            let by_query = &mut by_query[first * width..last * width];
            product(panel, by_query, gradients, keys, Start::Zero);
            let by_key = &mut by_key[..seen * width];
            product(panel, by_key, gradients.t(), query, Start::Held);
            let by_value = &mut by_value[..seen * value_width];
            product(panel, by_value, scores.t(), gradient, Start::Held);
        }
    }

    /// How many keys a query sees.
    fn seen(&self, query: usize) -> usize {
        let (queries, keys) = self.length;
        if self.causal {
            (query + 1 + keys).saturating_sub(queries).min(keys)
        } else {
            keys
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width.0 as f32).sqrt()
    }
}

/// What the backward pass of a head reads.
struct Read<'a> {
    gradient: &'a [f32],
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    output: &'a [f32],
    logs: &'a [f32],
}

fn chunk(of: &[f32], index: usize, length: usize) -> &[f32] {
    &of[index * length..][..length]
}

fn chunk_between(of: &[f32], first: usize, last: usize) -> &[f32] {
    &of[first..last]
}

/// The blocks of queries.
fn blocks(queries: usize) -> impl Iterator<Item = (usize, usize)> {
    let firsts = (0..queries).step_by(QUERIES);
    firsts.map(move |first| (first, (first + QUERIES).min(queries)))
}

/// Makes probabilities of a block of scores.
struct Probabilities<'a> {
    scores: &'a mut [f32],
    logs: &'a mut [f32],
    attention: &'a Attention,
    /// The first query.
    first: usize,
}

impl WithSimd for Probabilities<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.scores.len() / self.logs.len();
        if width == 0 {
            return;
        }
        let scale = self.attention.scale();
        let factor = simd.splat_f32s(scale);
        let rows = self.scores.chunks_exact_mut(width).zip(self.logs);
        for (query, (row, log)) in (self.first..).zip(rows) {
            let (row, hidden) = row.split_at_mut(self.attention.seen(query));
            hidden.fill(0.0);
            if row.is_empty() {
                continue;
            }
            let largest = max(simd, row) * scale;
            let shift = simd.splat_f32s(-largest);
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| exp(simd, simd.mul_add_e_f32s(x, factor, shift)),
            );
            let total = sum(
                simd,
                [row],
                #[inline(always)]
                |[x]| x,
            );
            *log = largest + total.ln();
            let share = simd.splat_f32s(1.0 / total);
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| simd.mul_f32s(x, share),
            );
        }
    }
}

/// Makes probabilities of a block of scores, and the gradients by the scores of those by the
/// probabilities.
struct Backward<'a> {
    scores: &'a mut [f32],
    gradients: &'a mut [f32],
    output: &'a [f32],
    output_gradient: &'a [f32],
    logs: &'a [f32],
    attention: &'a Attention,
    /// The first query.
    first: usize,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.scores.len() / self.logs.len();
        if width == 0 {
            return;
        }
        let value_width = self.attention.width.1;
        let scale = simd.splat_f32s(self.attention.scale());
        let outputs = self.output.chunks_exact(value_width);
        let outputs = outputs.zip(self.output_gradient.chunks_exact(value_width));
        let rows = self.scores.chunks_exact_mut(width);
        let rows = rows.zip(self.gradients.chunks_exact_mut(width));
        let rows = rows.zip(outputs.zip(self.logs));
        for (query, ((row, gradients), ((output, gradient), log))) in (self.first..).zip(rows) {
            let seen = self.attention.seen(query);
            let (row, hidden) = row.split_at_mut(seen);
            hidden.fill(0.0);
            let (gradients, hidden) = gradients.split_at_mut(seen);
            hidden.fill(0.0);
            let shift = simd.splat_f32s(-log);
            update(
                simd,
                row,
                [],
                #[inline(always)]
                |x, []| exp(simd, simd.mul_add_e_f32s(x, scale, shift)),
            );
            let along = sum(
                simd,
                [output, gradient],
                #[inline(always)]
                |[y, g]| simd.mul_f32s(y, g),
            );
            let along = simd.splat_f32s(along);
            update(
                simd,
                gradients,
                [row],
                #[inline(always)]
                |gradient, [probability]| {
                    let gradient = simd.sub_f32s(gradient, along);
                    simd.mul_f32s(simd.mul_f32s(gradient, probability), scale)
                },
            );
        }
    }
}
