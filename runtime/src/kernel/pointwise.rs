//! What is done to each number by itself.

use rayon::prelude::*;

/// Numbers that one thread takes at a time: below that, starting threads costs more than it saves.
pub const SHARE: usize = 1 << 15;

/// The gradient by the input of a ReLU, in place: 0 where its output is 0.
pub fn relu_gradient(gradient: &mut [f32], output: &[f32]) {
    gradient
        .par_chunks_mut(SHARE)
        .zip(output.par_chunks(SHARE))
        .for_each(|(gradient, output)| {
            for (gradient, output) in gradient.iter_mut().zip(output) {
                *gradient = if *output > 0.0 { *gradient } else { 0.0 };
            }
        });
}
