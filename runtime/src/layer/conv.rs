//! The convolution layers, and their transposes.

use burn::nn::conv::{self, Conv3d, ConvTranspose3d};
use burn::tensor::Tensor;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use super::padding::{pair, pairs};
use super::wrapped::wrapped;
use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent, sum};

/// Burn's [`Conv1d`](conv::Conv1d), computed by [`kernel::conv2d`] as images of height 1.
#[derive(Clone, Debug)]
pub struct Conv1d {
    inner: conv::Conv1d,
}

wrapped!(Conv1d: conv::Conv1d);

impl Conv1d {
    /// `[batch, channels, length]` to `[batch, outputs, length]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        self.run(input, kernel::conv2d)
    }

    /// [`forward`](Self::forward), and what is below 0 becomes 0, in one pass.
    pub fn forward_relu(&self, input: Tensor<3>) -> Tensor<3> {
        self.run(input, kernel::conv2d_relu)
    }

    fn run(
        &self,
        input: Tensor<3>,
        conv2d: fn(Tensor<4>, Tensor<4>, Option<Tensor<1>>, ConvOptions<2>) -> Tensor<4>,
    ) -> Tensor<3> {
        let [.., length] = input.dims();
        let padding = pair(&self.padding, length, self.kernel_size, self.stride);
        let options = ConvOptions::new_with_padding(
            [1, self.stride],
            [(0, 0), padding],
            [1, self.dilation],
            self.groups,
        );
        let weight = self.weight.val().unsqueeze_dim(2);
        let bias = self.bias.as_ref().map(|bias| bias.val());
        conv2d(input.unsqueeze_dim(2), weight, bias, options).squeeze_dim(2)
    }
}

/// Burn's [`Conv2d`](conv::Conv2d), computed by [`kernel::conv2d`].
#[derive(Clone, Debug)]
pub struct Conv2d {
    inner: conv::Conv2d,
}

wrapped!(Conv2d: conv::Conv2d);

impl Conv2d {
    /// `[batch, channels, height, width]` to `[batch, outputs, height, width]`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let options = self.options(&input);
        kernel::conv2d(input, self.weight.val(), self.bias_value(), options)
    }

    /// [`forward`](Self::forward), and what is below 0 becomes 0, in one pass.
    pub fn forward_relu(&self, input: Tensor<4>) -> Tensor<4> {
        let options = self.options(&input);
        kernel::conv2d_relu(input, self.weight.val(), self.bias_value(), options)
    }

    fn bias_value(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(|bias| bias.val())
    }

    fn options(&self, input: &Tensor<4>) -> ConvOptions<2> {
        let [.., height, width] = input.dims();
        let padding = pairs(
            &self.padding,
            [height, width],
            self.kernel_size,
            self.stride,
        );
        ConvOptions::new_with_padding(self.stride, padding, self.dilation, self.groups)
    }
}

/// Burn's [`ConvTranspose1d`](conv::ConvTranspose1d), computed by [`kernel::conv_transpose2d`] as
/// images of height 1.
#[derive(Clone, Debug)]
pub struct ConvTranspose1d {
    inner: conv::ConvTranspose1d,
}

wrapped!(ConvTranspose1d: conv::ConvTranspose1d);

impl ConvTranspose1d {
    /// `[batch, channels, length]` to `[batch, outputs, length']`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let options = ConvTransposeOptions::new(
            [1, self.stride],
            [0, self.padding],
            [0, self.padding_out],
            [1, self.dilation],
            self.groups,
        );
        let weight = self.weight.val().unsqueeze_dim(2);
        let bias = self.bias.as_ref().map(|bias| bias.val());
        kernel::conv_transpose2d(input.unsqueeze_dim(2), weight, bias, options).squeeze_dim(2)
    }
}

/// Burn's [`ConvTranspose2d`](conv::ConvTranspose2d), computed by [`kernel::conv_transpose2d`].
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    inner: conv::ConvTranspose2d,
}

wrapped!(ConvTranspose2d: conv::ConvTranspose2d);

impl ConvTranspose2d {
    /// `[batch, channels, height, width]` to `[batch, outputs, height', width']`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let options = ConvTransposeOptions::new(
            self.stride,
            self.padding,
            self.padding_out,
            self.dilation,
            self.groups,
        );
        let bias = self.bias.as_ref().map(|bias| bias.val());
        kernel::conv_transpose2d(input, self.weight.val(), bias, options)
    }
}

/// `y' = x' * K + x * K_v + b_v`
macro_rules! tangent {
    ($($layer:ident $rank:literal),*) => { $(
        impl Tangent<Dual<$rank>, Dual<$rank>> for $layer {
            fn forward_dual(
                &self,
                along: Option<&Self>,
                input: Dual<$rank>,
                _: &mut Pass,
            ) -> Dual<$rank> {
                let without_bias = || {
                    let mut layer = self.clone();
                    layer.bias = None;
                    layer
                };
                let from_input = input.tangent.map(|tangent| without_bias().forward(tangent));
                let from_weight = along.map(|along| along.forward(input.value.clone()));
                Dual {
                    value: self.forward(input.value),
                    tangent: sum(from_input, from_weight),
                }
            }
        }
    )* };
}

tangent!(Conv1d 3, Conv2d 4, ConvTranspose1d 3, ConvTranspose2d 4, Conv3d 5, ConvTranspose3d 5);
