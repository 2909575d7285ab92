//! How many zeros Burn's padding settings mean.

use burn::nn::PaddingConfig2d;

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
        PaddingConfig2d::Same => [0, 1].map(|axis| {
            let outputs = size[axis].div_ceil(stride[axis]);
            let needed = outputs.saturating_sub(1) * stride[axis] + kernel[axis];
            let zeros = needed.saturating_sub(size[axis]);
            (zeros / 2, zeros - zeros / 2)
        }),
    }
}
