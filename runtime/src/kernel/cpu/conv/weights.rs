//! The gradient by the kernel, and by the bias.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::planes::{Plan, Planes, WIDEST};

/// Bytes of planes that are worked on at once.
const BLOCK: usize = 384 << 10;
/// Into how many parts a batch is split at most. Each has sums of its own, which are added in
/// order: the result does not depend on the number of threads.
const PARTS: usize = 16;
/// Bytes of all parts' sums, at most.
const SUMS: usize = 16 << 20;

/// The gradient by a kernel, from the source and the gradient of the outputs.
pub struct Weights<'a> {
    /// The plan of the forward pass.
    pub plan: &'a Plan,
    /// Channels of the source and of the outputs, of all groups.
    pub channels: (usize, usize),
    pub groups: usize,
}

impl Weights<'_> {
    /// The gradients by the kernel, `[outputs, channels / groups, height, width]`, and by the
    /// bias, `[outputs]`.
    pub fn gradients(&self, source: &[f32], gradient: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let plan = self.plan;
        let outputs = plan.outputs();
        let taps = self.channels.0 / self.groups * plan.taps();
        let size = self.channels.1 * (taps + 1);
        let image = (
            self.channels.0 * plan.source(),
            self.channels.1 * outputs.source(),
        );
        let batch = source.len() / image.0;
        let parts = (SUMS / size_of::<f32>() / size).clamp(1, PARTS);
        let part = batch.div_ceil(parts);
        // A large kernel is split into ranges of outputs besides.
        let ranges = (PARTS / parts).clamp(1, (self.channels.1 / self.groups).div_ceil(8));
        let range = (self.channels.1 / self.groups)
            .div_ceil(ranges)
            .next_multiple_of(8);
        let group_outputs = self.channels.1 / self.groups;
        let mut sums = vec![0.0; batch.div_ceil(part) * size];
        let tasks: Vec<_> = sums
            .chunks_exact_mut(size)
            .zip(
                source
                    .chunks(part * image.0)
                    .zip(gradient.chunks(part * image.1)),
            )
            .flat_map(|(sums, read)| {
                let mut groups = Vec::new();
                for (group, sums) in sums
                    .chunks_exact_mut(group_outputs * (taps + 1))
                    .enumerate()
                {
                    for (first, sums) in sums.chunks_mut(range * (taps + 1)).enumerate() {
                        groups.push((group, group * group_outputs + first * range, sums, read));
                    }
                }
                groups
            })
            .collect();
        tasks.into_par_iter().for_each_init(
            Scratch::default,
            |scratch, (group, first, sums, (source, gradient))| {
                let images = plan.images(self.channels.0 / self.groups, BLOCK, 32);
                let blocks = source.chunks(images * image.0);
                for (source, gradient) in blocks.zip(gradient.chunks(images * image.1)) {
                    self.block(scratch, (group, first), sums, source, gradient);
                }
            },
        );
        let mut sums = sums.chunks_exact(size);
        let mut total = sums.next().unwrap_or_default().to_vec();
        for part in sums {
            for (total, part) in total.iter_mut().zip(part) {
                *total += part;
            }
        }
        let bias = total.iter().skip(taps).step_by(taps + 1).copied().collect();
        let mut kernel = total;
        for output in 0..self.channels.1 {
            kernel.copy_within(
                output * (taps + 1)..output * (taps + 1) + taps,
                output * taps,
            );
        }
        kernel.truncate(self.channels.1 * taps);
        (kernel, bias)
    }

    /// Adds what a few images contribute to the outputs from `first` on.
    fn block(
        &self,
        scratch: &mut Scratch,
        (group, first): (usize, usize),
        sums: &mut [f32],
        source: &[f32],
        gradient: &[f32],
    ) {
        let plan = self.plan;
        let channels = self.channels.0 / self.groups;
        let images = source.len() / (self.channels.0 * plan.source());
        let Scratch {
            planes,
            outputs,
            offsets,
        } = scratch;
        plan.gather(
            planes,
            source,
            (group * channels, channels, self.channels.0),
            WIDEST,
        );
        *offsets = plan.offsets(channels, images);
        let taps = offsets.len();
        let count = sums.len() / (taps + 1);
        let of = (first, count, self.channels.1);
        let line = plan.outputs().gather(outputs, gradient, of, 0);
        let steps = plan.positions(images).div_ceil(WIDEST) * WIDEST;
        let mut at = 0;
        while at < count {
            let dots = Dots {
                gradient: &outputs.numbers[at * line..],
                line,
                planes: &planes.numbers,
                offsets,
                length: steps,
                sums: &mut sums[at * (taps + 1)..],
            };
            at += match count - at {
                8.. => dots.run::<8, 3>(),
                4.. => dots.run::<4, 5>(),
                2.. => dots.run::<2, 9>(),
                _ => dots.run::<1, 9>(),
            };
        }
    }
}

/// What a thread works with.
#[derive(Default)]
struct Scratch {
    planes: Planes,
    outputs: Planes,
    offsets: Vec<usize>,
}

/// Inner products of the gradient of some outputs with what the taps read.
struct Dots<'a> {
    /// `[output][line]`, zero between the lines of an image.
    gradient: &'a [f32],
    line: usize,
    planes: &'a [f32],
    /// Where each tap begins to read.
    offsets: &'a [usize],
    /// Positions, in whole vectors of any processor.
    length: usize,
    /// `[output][taps, then the sum of the gradient]`.
    sums: &'a mut [f32],
}

impl Dots<'_> {
    /// Adds the inner products of `OUTPUTS` outputs, `TAPS` taps at a time, all in registers.
    fn run<const OUTPUTS: usize, const TAPS: usize>(self) -> usize {
        Arch::new().dispatch(DotsOf::<OUTPUTS, TAPS>(self));
        OUTPUTS
    }
}

struct DotsOf<'a, const OUTPUTS: usize, const TAPS: usize>(Dots<'a>);

impl<const OUTPUTS: usize, const TAPS: usize> WithSimd for DotsOf<'_, OUTPUTS, TAPS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dots {
            gradient,
            line,
            planes,
            offsets,
            length,
            sums,
        } = self.0;
        let steps = length / S::F32_LANES;
        let gradient: [&[S::f32s]; OUTPUTS] = std::array::from_fn(|output| {
            let line = &gradient[output * line..][..length];
            &S::as_simd_f32s(line).0[..steps]
        });
        let taps = offsets.len();
        for first in (0..taps).step_by(TAPS) {
            // The last few are computed more than once rather than by code of their own.
            let at = |tap: usize| offsets[(first + tap).min(taps - 1)];
            let read: [&[S::f32s]; TAPS] = std::array::from_fn(|tap| {
                let line = &planes[at(tap)..][..length];
                &S::as_simd_f32s(line).0[..steps]
            });
            let mut dot = [[simd.splat_f32s(0.0); TAPS]; OUTPUTS];
            for step in 0..steps {
                let read: [S::f32s; TAPS] = std::array::from_fn(|tap| read[tap][step]);
                for (dot, gradient) in dot.iter_mut().zip(gradient) {
                    for (dot, read) in dot.iter_mut().zip(read) {
                        *dot = simd.mul_add_e_f32s(gradient[step], read, *dot);
                    }
                }
            }
            for (sums, dot) in sums.chunks_exact_mut(taps + 1).zip(dot) {
                let (sums, _) = sums.split_at_mut(taps);
                for (sum, dot) in sums[first..].iter_mut().zip(dot) {
                    *sum += simd.reduce_sum_f32s(dot);
                }
            }
        }
        for (sums, gradient) in sums.chunks_exact_mut(taps + 1).zip(gradient) {
            let mut sum = simd.splat_f32s(0.0);
            for gradient in gradient {
                sum = simd.add_f32s(sum, *gradient);
            }
            sums[taps] += simd.reduce_sum_f32s(sum);
        }
    }
}
