//! The sum of squares.

use pulp::Arch;
use rayon::prelude::*;

use super::super::pointwise::SHARE;

/// Sums that run side by side, on every processor alike.
const LANES: usize = 32;

/// The sum of all squares, in double precision until the end. Its parts are the same whatever the
/// number of threads.
pub fn sum(numbers: &[f32]) -> f32 {
    let parts: Vec<f64> = numbers.par_chunks(SHARE).map(part).collect();
    parts.iter().sum::<f64>() as f32
}

fn part(numbers: &[f32]) -> f64 {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let (lines, rest) = numbers.as_chunks::<LANES>();
            for line in lines {
                for (sum, x) in sums.iter_mut().zip(line) {
                    *sum += f64::from(*x) * f64::from(*x);
                }
            }
            for (sum, x) in sums.iter_mut().zip(rest) {
                *sum += f64::from(*x) * f64::from(*x);
            }
            sums.iter().sum()
        },
    )
}
