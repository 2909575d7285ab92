//! One axis of a pooling: which window reads what.

use std::ops::Range;

/// The windows along one axis. Each of them reads some number of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Length of the input.
    pub input: usize,
    /// Numbers that a window reads.
    pub kernel: usize,
    /// Distance between neighbouring windows.
    pub stride: usize,
    /// Distance between neighbouring numbers of a window.
    pub dilation: usize,
    /// How far before the input the first window begins, and how far behind it a window may end.
    pub padding: (usize, usize),
    /// How many windows there are.
    pub outputs: usize,
}

impl Axis {
    /// The windows over `input`; none where Burn is to decide what such windows mean: one that is
    /// longer than the padded input, or that reads nothing but padding.
    pub fn new(
        input: usize,
        (kernel, stride, dilation): (usize, usize, usize),
        padding: (usize, usize),
        ceil_mode: bool,
    ) -> Option<Self> {
        if kernel == 0 || stride == 0 || dilation == 0 {
            return None;
        }
        let reach = dilation.checked_mul(kernel - 1)?.checked_add(1)?;
        let spare = (input + padding.0 + padding.1).checked_sub(reach)?;
        let mut outputs = 1 + if ceil_mode {
            spare.div_ceil(stride)
        } else {
            spare / stride
        };
        // A window that ceil mode adds has to begin before the padding behind the input.
        if ceil_mode && (outputs - 1) * stride >= input + padding.0 {
            outputs -= 1;
        }
        let axis = Axis {
            input,
            kernel,
            stride,
            dilation,
            padding,
            outputs,
        };
        let reads = |output| !axis.taps(output).is_empty();
        (0..outputs).all(reads).then_some(axis)
    }

    /// Whether the windows are the pairs `0, 1`, `2, 3` and so on.
    pub fn is_pairs(&self) -> bool {
        let pairs = (self.kernel, self.stride, self.dilation) == (2, 2, 1);
        pairs && self.padding.0 == 0 && 2 * self.outputs <= self.input
    }

    /// The taps of a window that lie in the input.
    pub fn taps(&self, output: usize) -> Range<usize> {
        let start = output * self.stride;
        let first = self.padding.0.saturating_sub(start).div_ceil(self.dilation);
        let end = (self.input + self.padding.0).saturating_sub(start);
        first..end.div_ceil(self.dilation).min(self.kernel)
    }

    /// The windows of which a tap lies in the input.
    pub fn outputs(&self, tap: usize) -> Range<usize> {
        let at = tap * self.dilation;
        let first = self.padding.0.saturating_sub(at).div_ceil(self.stride);
        let end = (self.input + self.padding.0).saturating_sub(at);
        let end = end.div_ceil(self.stride).min(self.outputs);
        first..end.max(first)
    }

    /// Where in the input a tap of a window lies, for one that lies in it.
    pub fn at(&self, output: usize, tap: usize) -> usize {
        output * self.stride + tap * self.dilation - self.padding.0
    }

    /// How long a window is, cut off where the padding ends.
    pub fn padded(&self, output: usize) -> usize {
        let padded = self.input + self.padding.0 + self.padding.1;
        self.kernel.min(padded - output * self.stride)
    }
}
