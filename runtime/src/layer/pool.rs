//! The pooling layers.

use burn::nn::pool;
use burn::tensor::Tensor;
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};

use super::padding::{pair, pairs};
use super::wrapped::wrapped;
use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent, linear_layers};

/// Burn's [`MaxPool2d`](pool::MaxPool2d), computed by [`kernel::max_pool2d`].
#[derive(Clone, Debug)]
pub struct MaxPool2d {
    inner: pool::MaxPool2d,
}

wrapped!(MaxPool2d: pool::MaxPool2d);

impl MaxPool2d {
    /// `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let options = self.options(&input);
        kernel::max_pool2d(input, options)
    }

    fn options(&self, input: &Tensor<4>) -> MaxPoolOptions<2> {
        let [.., height, width] = input.dims();
        let size = [height, width];
        let padding = pairs(&self.padding, size, self.kernel_size, self.stride);
        MaxPoolOptions::new(self.kernel_size)
            .with_stride(self.stride)
            .with_padding_pairs(padding)
            .with_dilation(self.dilation)
            .with_ceil_mode(self.ceil_mode)
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

/// Burn's [`MaxPool1d`](pool::MaxPool1d), computed by [`kernel::max_pool2d`] as images of height 1.
#[derive(Clone, Debug)]
pub struct MaxPool1d {
    inner: pool::MaxPool1d,
}

wrapped!(MaxPool1d: pool::MaxPool1d);

impl MaxPool1d {
    /// `[batch, channels, length]` to `[batch, channels, windows]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let options = self.options(&input);
        kernel::max_pool2d(input.unsqueeze_dim(2), options).squeeze_dim(2)
    }

    fn options(&self, input: &Tensor<3>) -> MaxPoolOptions<2> {
        let [.., length] = input.dims();
        let padding = pair(&self.padding, length, self.kernel_size, self.stride);
        MaxPoolOptions::new([1, self.kernel_size])
            .with_stride([1, self.stride])
            .with_padding_pairs([(0, 0), padding])
            .with_dilation([1, self.dilation])
            .with_ceil_mode(self.ceil_mode)
    }
}

/// Burn's [`AvgPool1d`](pool::AvgPool1d), computed by [`kernel::avg_pool2d`] as images of height 1.
#[derive(Clone, Debug)]
pub struct AvgPool1d {
    inner: pool::AvgPool1d,
}

wrapped!(AvgPool1d: pool::AvgPool1d);

impl AvgPool1d {
    /// `[batch, channels, length]` to `[batch, channels, windows]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [.., length] = input.dims();
        let padding = pair(&self.padding, length, self.kernel_size, self.stride);
        let options = AvgPoolOptions::new([1, self.kernel_size])
            .with_stride([1, self.stride])
            .with_padding_pairs([(0, 0), padding])
            .with_count_include_pad(self.count_include_pad)
            .with_ceil_mode(self.ceil_mode);
        kernel::avg_pool2d(input.unsqueeze_dim(2), options).squeeze_dim(2)
    }
}

linear_layers!(AvgPool1d: 3 -> 3, AvgPool2d: 4 -> 4);

/// The derivative of the largest number of each window.
impl Tangent<Dual<4>, Dual<4>> for MaxPool2d {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<4>, _: &mut Pass) -> Dual<4> {
        let options = self.options(&input.value);
        largest(input, options)
    }
}

/// The derivative of the largest number of each window.
impl Tangent<Dual<3>, Dual<3>> for MaxPool1d {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<3>, _: &mut Pass) -> Dual<3> {
        let options = self.options(&input.value);
        let input = input.linear(|x| x.unsqueeze_dim(2));
        largest(input, options).linear(|x: Tensor<4>| x.squeeze_dim(2))
    }
}

fn largest(input: Dual<4>, options: MaxPoolOptions<2>) -> Dual<4> {
    let tangent = input.tangent.map(|tangent| {
        let input = input.value.clone().detach();
        kernel::max_pool2d_tangent(input, tangent, options.clone())
    });
    Dual {
        value: kernel::max_pool2d(input.value, options),
        tangent,
    }
}
