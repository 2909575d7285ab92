//! The sum of squares.

use pulp::Arch;
use rayon::prelude::*;

use super::super::pointwise::SHARE;

/// Sums that run side by side, on every processor alike.
const LANES: usize = 64;
/// Numbers that are summed in single precision: few enough for a sum that is right to about the
/// last bit, enough for the conversion to double precision not to count.
const BLOCK: usize = 16 * LANES;

/// The sum of all squares. Its parts are the same whatever the number of threads.
pub fn sum(numbers: &[f32]) -> f32 {
    if numbers.len() <= SHARE {
        return part(numbers) as f32;
    }
    let parts: Vec<f64> = numbers.par_chunks(SHARE).map(part).collect();
    parts.iter().sum::<f64>() as f32
}

fn part(numbers: &[f32]) -> f64 {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut total = [0.0; LANES];
            for block in numbers.chunks(BLOCK) {
                let mut sums = [0.0; LANES];
                let (lines, rest) = block.as_chunks::<LANES>();
                for line in lines {
                    for (sum, x) in sums.iter_mut().zip(line) {
                        *sum += x * x;
                    }
                }
                for (sum, x) in sums.iter_mut().zip(rest) {
                    *sum += x * x;
                }
                for (total, sum) in total.iter_mut().zip(sums) {
                    *total += f64::from(sum);
                }
            }
            total.iter().sum()
        },
    )
}
