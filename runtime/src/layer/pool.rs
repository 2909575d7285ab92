//! The pooling layers.

use burn::nn::pool;
use burn::tensor::Tensor;
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use super::padding::pairs;
use super::wrapped::wrapped;
use crate::kernel;

/// Burn's [`MaxPool2d`](pool::MaxPool2d), computed by [`kernel::max_pool2d`].
#[derive(Clone, Debug)]
pub struct MaxPool2d {
    inner: pool::MaxPool2d,
}

wrapped!(MaxPool2d: pool::MaxPool2d);

impl MaxPool2d {
    /// `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [.., height, width] = input.dims();
        let size = [height, width];
        let padding = pairs(&self.padding, size, self.kernel_size, self.stride);
        let options = MaxPoolOptions::new(self.kernel_size)
            .with_stride(self.stride)
            .with_padding_pairs(padding)
            .with_dilation(self.dilation)
            .with_ceil_mode(self.ceil_mode);
        kernel::max_pool2d(input, options)
    }
}

/// Burn's [`AvgPool2d`](pool::AvgPool2d), computed by [`kernel::avg_pool2d`].
#[derive(Clone, Debug)]
pub struct AvgPool2d {
    inner: pool::AvgPool2d,
}

wrapped!(AvgPool2d: pool::AvgPool2d);

impl AvgPool2d {
    /// `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [.., height, width] = input.dims();
        let size = [height, width];
        let padding = pairs(&self.padding, size, self.kernel_size, self.stride);
        let options = AvgPoolOptions::new(self.kernel_size)
            .with_stride(self.stride)
            .with_padding_pairs(padding)
            .with_count_include_pad(self.count_include_pad)
            .with_ceil_mode(self.ceil_mode);
        kernel::avg_pool2d(input, options)
    }
}

/// The mean of each channel over height and width: `[batch, channels, height, width]` to
/// `[batch, channels]`.
#[derive(burn::module::Module, Debug, Default)]
pub struct GlobalAvgPool {}

impl GlobalAvgPool {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        GlobalAvgPool {}
    }

    /// `[batch, channels, height, width]` to `[batch, channels]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<2> {
        kernel::global_avg_pool(input)
    }
}
