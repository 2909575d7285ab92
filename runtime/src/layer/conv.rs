//! The convolution layers.

use burn::nn::conv;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use super::padding::pairs;
use super::wrapped::wrapped;
use crate::kernel;

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
