//! How many zeros Burn's padding settings mean.

use burn::nn::{PaddingConfig1d, PaddingConfig2d};

/// Zeros before and behind each axis of `[height, width]`. Burn works this out too, but keeps it
/// to itself; `Same` ignores the dilation, as there.
pub fn pairs(
    padding: &PaddingConfig2d,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
) -> [(usize, usize); 2] {
    match *padding {
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
        PaddingConfig2d::Same => [0, 1].map(|axis| same(size[axis], kernel[axis], stride[axis])),
    }
}

/// Zeros before and behind the axis of `[length]`.
pub fn pair(
    padding: &PaddingConfig1d,
    size: usize,
    kernel: usize,
    stride: usize,
) -> (usize, usize) {
    match *padding {
        PaddingConfig1d::Valid => (0, 0),
        PaddingConfig1d::Explicit(left, right) => (left, right),
        PaddingConfig1d::Same => same(size, kernel, stride),
    }
}

fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let outputs = size.div_ceil(stride);
    let needed = outputs.saturating_sub(1) * stride + kernel;
    let zeros = needed.saturating_sub(size);
    (zeros / 2, zeros - zeros / 2)
}
