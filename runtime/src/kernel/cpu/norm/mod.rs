//! Batch normalization, and its gradients.
//!
//! The numbers of a batch are read twice forward (the moments, then the output) and twice backward
//! (two sums, then the gradient by the input, in place of the gradient of the output). A ReLU that
//! follows costs nothing, and keeps nothing.

mod element;
mod moments;
mod planes;
mod rows;
mod step;

pub use self::step::{frozen, frozen_recorded, trained, trained_recorded};

use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use self::element::Affine;
use self::moments::{Moments, merged};
use super::pointwise::SHARE;

/// Numbers of a channel that are looked at twice in a row: they stay in the nearest cache.
const NEAR: usize = 1 << 12;
/// The most examples in a block: with planes each is a stream of its own that is read, without them
/// a column is added up in single precision over a block.
const EXAMPLES: (usize, usize) = (16, 256);
/// The shortest plane that is read in vectors.
const PLANE: usize = 16;

/// A batch normalization of `[batch, channels, ..]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNorm {
    batch: usize,
    channels: usize,
    /// Numbers of one channel of one example.
    length: usize,
    epsilon: f64,
    /// Whether what is below 0 becomes 0.
    relu: bool,
}

impl BatchNorm {
    /// The normalization of an input of this shape; none where there are no numbers.
    pub fn new(input: &[usize], epsilon: f64, relu: bool) -> Option<Self> {
        let [batch, channels, ref plane @ ..] = *input else {
            return None;
        };
        let some = input.iter().product::<usize>() > 0;
        some.then(|| BatchNorm {
            batch,
            channels,
            length: plane.iter().product(),
            epsilon,
            relu,
        })
    }

    /// The moments of each channel.
    pub fn moments(&self, input: &[f32]) -> Vec<Moments> {
        let pairs = self.blocks(|block, moments| {
            let input = &input[block];
            if self.is_planes() {
                let length = self.length;
                Arch::new().dispatch(planes::Moments {
                    length,
                    input,
                    moments,
                });
            } else {
                Arch::new().dispatch(rows::Moments { input, moments });
            }
        });
        let channels = 0..self.channels;
        channels
            .map(|channel| merged(self.parts(&pairs, channel)))
            .collect()
    }

    /// What `channel` says of a channel, for each of its lines.
    pub fn lines_of<T>(&self, channel: impl Fn(usize) -> T) -> Vec<T> {
        let lines = 0..self.lines();
        lines.map(|line| channel(line / self.each())).collect()
    }

    /// The output, in place of a copy of the input or of the input itself.
    pub fn apply(&self, affine: &[Affine<f32>], input: Option<&[f32]>, output: &mut [f32]) {
        if self.relu {
            self.apply_to::<true>(affine, input, output);
        } else {
            self.apply_to::<false>(affine, input, output);
        }
    }

    fn apply_to<const RELU: bool>(
        &self,
        affine: &[Affine<f32>],
        input: Option<&[f32]>,
        output: &mut [f32],
    ) {
        let share = self.share();
        let parts = output.par_chunks_mut(share).enumerate();
        parts.for_each(|(part, output)| {
            let input = input.map(|input| &input[part * share..][..output.len()]);
            if self.is_planes() {
                Arch::new().dispatch(planes::Apply::<RELU> {
                    length: self.length,
                    affine,
                    input,
                    output,
                });
            } else {
                Arch::new().dispatch(rows::Apply::<RELU> {
                    affine,
                    input,
                    output,
                });
            }
        });
    }

    /// For each channel the sum of the gradient of the output, and of that times the distance from
    /// the center.
    pub fn sums(&self, affine: &[Affine<f32>], input: &[f32], gradient: &[f32]) -> Vec<[f64; 2]> {
        let pairs = if self.relu {
            self.sums_of::<true>(affine, input, gradient)
        } else {
            self.sums_of::<false>(affine, input, gradient)
        };
        let sum = |channel| {
            let parts = self.parts(&pairs, channel);
            parts.fold([0.0; 2], |[a, b], (_, [c, d])| [a + c, b + d])
        };
        (0..self.channels).map(sum).collect()
    }

    fn sums_of<const RELU: bool>(
        &self,
        affine: &[Affine<f32>],
        input: &[f32],
        gradient: &[f32],
    ) -> Vec<[f64; 2]> {
        self.blocks(|block, sums| {
            let (input, gradient) = (&input[block.clone()], &gradient[block]);
            if self.is_planes() {
                Arch::new().dispatch(planes::Sums::<RELU> {
                    length: self.length,
                    affine,
                    input,
                    gradient,
                    sums,
                });
            } else {
                Arch::new().dispatch(rows::Sums::<RELU> {
                    affine,
                    input,
                    gradient,
                    sums,
                });
            }
        })
    }

    /// The gradient by the input, `scale * gradient + slope * (x - center) + constant` for the
    /// `terms` slope and constant, in place of the gradient of the output.
    pub fn input_gradient(
        &self,
        affine: &[Affine<f32>],
        terms: &[[f32; 2]],
        input: &[f32],
        gradient: &mut [f32],
    ) {
        if self.relu {
            self.input_gradient_to::<true>(affine, terms, input, gradient);
        } else {
            self.input_gradient_to::<false>(affine, terms, input, gradient);
        }
    }

    fn input_gradient_to<const RELU: bool>(
        &self,
        affine: &[Affine<f32>],
        terms: &[[f32; 2]],
        input: &[f32],
        gradient: &mut [f32],
    ) {
        let share = self.share();
        let parts = gradient.par_chunks_mut(share).zip(input.par_chunks(share));
        parts.for_each(|(gradient, input)| {
            if self.is_planes() {
                Arch::new().dispatch(planes::Gradient::<RELU> {
                    length: self.length,
                    affine,
                    terms,
                    input,
                    gradient,
                });
            } else {
                Arch::new().dispatch(rows::Gradient::<RELU> {
                    affine,
                    terms,
                    input,
                    gradient,
                });
            }
        });
    }

    fn is_planes(&self) -> bool {
        self.length >= PLANE
    }

    /// Channels, or columns for short planes.
    fn lines(&self) -> usize {
        self.channels * self.each()
    }

    /// Lines of a channel.
    fn each(&self) -> usize {
        if self.is_planes() { 1 } else { self.length }
    }

    /// Numbers of an example.
    fn example(&self) -> usize {
        self.channels * self.length
    }

    /// Numbers that one thread takes at a time: whole examples.
    fn share(&self) -> usize {
        self.example() * (SHARE / self.example()).max(1)
    }

    /// Examples that are added up at once; the same whatever the number of threads.
    fn block(&self) -> usize {
        if self.is_planes() {
            (NEAR / self.length).clamp(1, EXAMPLES.0)
        } else {
            (2 * NEAR / self.example()).clamp(16, EXAMPLES.1)
        }
    }

    /// What `find` finds for each line of each block, given where the block's numbers are.
    fn blocks(&self, find: impl Fn(Range<usize>, &mut [[f64; 2]]) + Sync) -> Vec<[f64; 2]> {
        let block = self.block() * self.example();
        let end = self.batch * self.example();
        let mut pairs = vec![[0.0; 2]; end.div_ceil(block) * self.lines()];
        pairs
            .par_chunks_mut(self.lines())
            .with_min_len(SHARE.div_ceil(block))
            .enumerate()
            .for_each(|(index, pairs)| {
                let start = index * block;
                find(start..end.min(start + block), pairs);
            });
        pairs
    }

    /// What was found for one channel, each with the count of numbers behind it.
    fn parts<'a>(
        &'a self,
        pairs: &'a [[f64; 2]],
        channel: usize,
    ) -> impl Iterator<Item = (usize, [f64; 2])> + Clone + 'a {
        let each = self.each();
        let blocks = pairs.chunks_exact(self.lines()).enumerate();
        blocks.flat_map(move |(index, pairs)| {
            let examples = self.block().min(self.batch - index * self.block());
            let count = examples * self.length / each;
            let pairs = &pairs[channel * each..][..each];
            pairs.iter().map(move |pair| (count, *pair))
        })
    }
}

#[cfg(test)]
mod tests {
    use rayon::ThreadPoolBuilder;

    use super::*;

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        for shape in [vec![37, 5, 9, 11], vec![301, 3, 2], vec![1000, 70]] {
            let norm = BatchNorm::new(&shape, 1e-5, true).unwrap();
            let count: usize = shape.iter().product();
            let number = |at: usize| ((at * 7919) % 1013) as f32 / 97.0 - 4.0;
            let input: Vec<_> = (0..count).map(number).collect();
            let gradient: Vec<_> = (0..count).map(|at| number(3 * at + 1)).collect();
            let run = |threads| {
                let pool = ThreadPoolBuilder::new().num_threads(threads).build();
                pool.unwrap().install(|| {
                    let moments = norm.moments(&input);
                    let affine = norm.lines_of(|channel| {
                        let of = moments[channel];
                        Affine::new(of.mean, of.inverse_deviation(1e-5), 0.1)
                    });
                    (norm.sums(&affine, &input, &gradient), moments)
                })
            };
            assert_eq!(run(1), run(5));
        }
    }
}
