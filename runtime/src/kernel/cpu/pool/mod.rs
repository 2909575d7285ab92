//! Pooling of images, and its gradients. Every plane, one channel of one image, is by itself.

mod average;
mod axis;
mod largest;
mod mean;
mod step;

pub use self::average::AveragePool;
pub use self::largest::MaxPool;
pub use self::mean::GlobalMean;
pub use self::step::{along, average, max, mean};

use super::pointwise::SHARE;

/// How many planes of `length` numbers one thread takes at a time.
fn planes(length: usize) -> usize {
    (SHARE / length.max(1)).max(1)
}
