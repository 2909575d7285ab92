//! The cross-correlation: forward pass, and gradient by the input.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::planes::{Plan, Planes, WIDEST};

/// Bytes of planes that are worked on at once; they, the weights and the sums stay in a
/// processor's own cache.
const BLOCK: usize = 192 << 10;
/// The most positions that are summed at a time.
const LONGEST: usize = 8 * WIDEST;

/// A correlation of images with a kernel, `[outputs, channels, height, width]`.
pub struct Correlation<'a> {
    pub plan: &'a Plan,
    /// Channels of the source and of the outputs, of all groups.
    pub channels: (usize, usize),
    pub groups: usize,
    /// Height and width of what is written.
    pub written: (usize, usize),
    /// The kernel, see [`pack`].
    pub packed: &'a [f32],
    pub bias: Option<&'a [f32]>,
    /// Whether what is below 0 becomes 0.
    pub relu: bool,
}

/// How many outputs share what is read: eight for eight or more, fewer where there are fewer.
fn together(outputs: usize) -> usize {
    match outputs {
        0..=2 => 2,
        3..=4 => 4,
        _ => 8,
    }
}

/// The kernel of one group as it is read: `[block of outputs][tap][output]`, zeros where the last
/// block is not full. `at` says where in `kernel` the tap of an output is.
pub fn pack(
    packed: &mut Vec<f32>,
    kernel: &[f32],
    (outputs, taps): (usize, usize),
    at: impl Fn(usize, usize) -> usize,
) {
    let width = together(outputs);
    for first in (0..outputs).step_by(width) {
        for tap in 0..taps {
            for output in first..first + width {
                let weight = (output < outputs).then(|| kernel[at(output, tap)]);
                packed.push(weight.unwrap_or(0.0));
            }
        }
    }
}

/// Writes the correlation of `source`, `[images, channels, ..]`, to `to`,
/// `[images, outputs, height, width]`. What the plan does not write stays.
pub fn correlate(to: &mut [f32], source: &[f32], correlation: &Correlation) {
    let Correlation { plan, channels, .. } = *correlation;
    let area = correlation.written.0 * correlation.written.1;
    let image = channels.0 * plan.source();
    let batch = source.len() / image;
    let threads = rayon::current_num_threads();
    let share = batch.div_ceil(4 * threads);
    let images = plan.images(channels.0 / correlation.groups, BLOCK, share.min(8));
    // How the work is split changes no sum: each output has its own, in the order of the taps.
    let per_group = channels.1 / correlation.groups;
    let whole = if correlation.groups == 1 {
        8
    } else {
        per_group
    };
    let range = if batch < threads {
        channels
            .1
            .div_ceil(threads.div_ceil(batch))
            .next_multiple_of(whole)
    } else {
        channels.1
    };
    let blocks = to.chunks_mut(images * channels.1 * area);
    let tasks: Vec<_> = blocks
        .zip(source.chunks(images * image))
        .flat_map(|(to, source)| {
            let ranges = to.chunks_mut(if range < channels.1 {
                range * area
            } else {
                to.len()
            });
            let ranges = ranges.enumerate();
            ranges.map(move |(index, to)| (index * range, to, source))
        })
        .collect();
    tasks
        .into_par_iter()
        .for_each_init(Scratch::default, |scratch, (first, to, source)| {
            correlation.block(scratch, first, to, source);
        });
}

/// What a thread works with.
#[derive(Default)]
struct Scratch {
    planes: Planes,
    sums: Vec<f32>,
}

impl Correlation<'_> {
    /// The outputs of a few images from the output `start` on.
    fn block(&self, scratch: &mut Scratch, start: usize, to: &mut [f32], source: &[f32]) {
        let plan = self.plan;
        let channels = self.channels.0 / self.groups;
        let outputs = self.channels.1 / self.groups;
        let images = source.len() / (self.channels.0 * plan.source());
        let offsets = plan.offsets(channels, images);
        let width = together(outputs);
        let group_weights = outputs.next_multiple_of(width) * offsets.len();
        let positions = plan.positions(images);
        let line = positions + LONGEST;
        let shown = to.len() / (images * self.written.0 * self.written.1);
        scratch.sums.resize(width * line, 0.0);
        for (group, weights) in self.packed.chunks_exact(group_weights).enumerate() {
            // Which of the group's outputs are asked for.
            let low = start.saturating_sub(group * outputs);
            let high = outputs.min((start + shown).saturating_sub(group * outputs));
            if low >= high {
                continue;
            }
            let of = (group * channels, channels, self.channels.0);
            plan.gather(&mut scratch.planes, source, of, LONGEST);
            let blocks = weights.chunks_exact(offsets.len() * width);
            for (weights, first) in blocks.skip(low / width).zip((low..high).step_by(width)) {
                let sums = SumsOf {
                    weights,
                    offsets: &offsets,
                    planes: &scratch.planes.numbers,
                    positions,
                    line,
                    sums: &mut scratch.sums,
                };
                match width {
                    8 => Arch::new().dispatch(Sums::<8, 3>(sums)),
                    4 => Arch::new().dispatch(Sums::<4, 6>(sums)),
                    _ => Arch::new().dispatch(Sums::<2, 8>(sums)),
                }
                for (output, sums) in (first..high).zip(scratch.sums.chunks_exact(line)) {
                    let bias = self.bias.map_or(0.0, |bias| bias[group * outputs + output]);
                    let at = (group * outputs + output - start, shown);
                    Arch::new().dispatch(|| self.write(to, at, bias, sums));
                }
            }
        }
    }

    /// Writes the sums of one of `shown` output channels, those between the lines left out.
    #[inline(always)] // Into the dispatch, for its vectors.
    fn write(&self, to: &mut [f32], (output, shown): (usize, usize), bias: f32, sums: &[f32]) {
        let (rows, columns) = (&self.plan.rows, &self.plan.columns);
        let (height, width) = self.written;
        let finish = |sum: f32| {
            let sum = sum + bias;
            // NaN stays NaN.
            if self.relu && sum <= 0.0 { 0.0 } else { sum }
        };
        for (image, to) in to.chunks_exact_mut(shown * height * width).enumerate() {
            let to = &mut to[output * height * width..][..height * width];
            let lines = to.chunks_exact_mut(width);
            let lines = lines.skip(rows.written.0).step_by(rows.written.1);
            for (row, to) in lines.take(rows.count).enumerate() {
                let at = (image * rows.pitch + row) * columns.pitch;
                let from = &sums[at..][..columns.count];
                let to = &mut to[columns.written.0..];
                if columns.written.1 == 1 {
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = finish(*from);
                    }
                } else {
                    for (to, from) in to.iter_mut().step_by(columns.written.1).zip(from) {
                        *to = finish(*from);
                    }
                }
            }
        }
    }
}

/// Sums over the taps of weight times what the tap reads, for `OUTPUTS` outputs and `VECTORS`
/// vectors of positions at a time: all of it in registers.
struct Sums<'a, const OUTPUTS: usize, const VECTORS: usize>(SumsOf<'a>);

struct SumsOf<'a> {
    /// `[tap][OUTPUTS]`.
    weights: &'a [f32],
    /// Where each tap begins to read.
    offsets: &'a [usize],
    planes: &'a [f32],
    positions: usize,
    /// `[OUTPUTS][line]`.
    sums: &'a mut [f32],
    line: usize,
}

impl<const OUTPUTS: usize, const VECTORS: usize> WithSimd for Sums<'_, OUTPUTS, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let SumsOf {
            weights,
            offsets,
            planes,
            positions,
            sums,
            line,
        } = self.0;
        let (weights, _) = pulp::as_arrays::<OUTPUTS, f32>(weights);
        let span = VECTORS * S::F32_LANES;
        for position in (0..positions).step_by(span) {
            let mut sum = [[simd.splat_f32s(0.0); VECTORS]; OUTPUTS];
            for (weights, offset) in weights.iter().zip(offsets) {
                let (read, _) = S::as_simd_f32s(&planes[offset + position..][..span]);
                let read: [S::f32s; VECTORS] = std::array::from_fn(|vector| read[vector]);
                for (sum, weight) in sum.iter_mut().zip(weights) {
                    let weight = simd.splat_f32s(*weight);
                    for (sum, read) in sum.iter_mut().zip(read) {
                        *sum = simd.mul_add_e_f32s(weight, read, *sum);
                    }
                }
            }
            for (sums, sum) in sums.chunks_exact_mut(line).zip(sum) {
                let (to, _) = S::as_mut_simd_f32s(&mut sums[position..][..span]);
                to.copy_from_slice(&sum);
            }
        }
    }
}
