//! Convolution in two dimensions, and its gradients.

mod axis;
mod correlate;
mod planes;
mod step;
mod weights;

use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

use self::axis::Window;
use self::correlate::{Correlation, correlate, pack};
use self::planes::Plan;
use self::weights::Weights;

pub use self::step::{Transposed, forward, forward_recorded, transposed};

/// A convolution of `[images, channels, height, width]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    images: usize,
    /// Of the input and of the output.
    channels: (usize, usize),
    groups: usize,
    rows: Window,
    columns: Window,
    output: (usize, usize),
    relu: bool,
}

impl Convolution {
    /// The convolution of an input with a kernel `[outputs, channels / groups, height, width]`;
    /// none where the shapes do not fit, or hold nothing.
    pub fn new(
        input: [usize; 4],
        kernel: [usize; 4],
        options: &ConvOptions<2>,
        relu: bool,
    ) -> Option<Self> {
        let [images, channels, height, width] = input;
        let [outputs, per_group, ..] = kernel;
        let groups = options.groups;
        if groups == 0 || options.stride.contains(&0) {
            return None; // Burn says what is wrong.
        }
        let fits = per_group * groups == channels && outputs % groups == 0;
        let window = |axis: usize, input| Window {
            input,
            kernel: kernel[2 + axis],
            stride: options.stride[axis],
            padding: options.padding[axis],
            dilation: options.dilation[axis],
        };
        let (rows, columns) = (window(0, height), window(1, width));
        let output = (rows.output()?, columns.output()?);
        let some = images * channels * outputs * height * width > 0;
        (fits && some).then_some(Convolution {
            images,
            channels: (channels, outputs),
            groups,
            rows,
            columns,
            output,
            relu,
        })
    }

    /// The convolution of which a transposed one of these shapes is the adjoint: it goes back from
    /// the other's output to its input. None where there is no such convolution.
    pub fn transposed(
        input: [usize; 4],
        kernel: [usize; 4],
        options: &ConvTransposeOptions<2>,
    ) -> Option<Self> {
        let ConvTransposeOptions {
            stride,
            padding,
            padding_out,
            dilation,
            groups,
        } = *options;
        let [images, _, height, width] = input;
        let length = |axis: usize, input: usize| {
            let reach = dilation[axis] * kernel[2 + axis].checked_sub(1)? + 1;
            let spread = input.checked_sub(1)? * stride[axis];
            (spread + reach + padding_out[axis]).checked_sub(2 * padding[axis])
        };
        let output = [
            images,
            kernel[1] * groups,
            length(0, height)?,
            length(1, width)?,
        ];
        let options = ConvOptions::new(stride, padding, dilation, groups);
        let adjoint = Convolution::new(output, kernel, &options, false)?;
        // Output padding of a stride or more would give it another row to go to.
        (adjoint.output() == input).then_some(adjoint)
    }

    /// The output's shape.
    pub fn output(&self) -> [usize; 4] {
        [self.images, self.channels.1, self.output.0, self.output.1]
    }

    /// The input's shape.
    pub fn input(&self) -> [usize; 4] {
        [
            self.images,
            self.channels.0,
            self.rows.input,
            self.columns.input,
        ]
    }

    /// The kernel's shape.
    pub fn kernel(&self) -> [usize; 4] {
        let (inputs, outputs) = self.channels;
        [
            outputs,
            inputs / self.groups,
            self.rows.kernel,
            self.columns.kernel,
        ]
    }

    fn plan(&self) -> Plan {
        Plan::new(
            self.rows.forward(self.output.0),
            self.columns.forward(self.output.1),
            self.channels.1 / self.groups,
        )
    }

    /// The output.
    pub fn forward(&self, input: &[f32], kernel: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let plan = self.plan();
        let [outputs, channels, height, width] = self.kernel();
        let outputs = outputs / self.groups;
        let taps = channels * height * width;
        let mut packed = Vec::new();
        for kernel in kernel.chunks_exact(outputs * taps) {
            pack(&mut packed, kernel, (outputs, taps), |output, tap| {
                output * taps + tap
            });
        }
        let mut output = vec![0.0; self.output().iter().product()];
        let correlation = Correlation {
            plan: &plan,
            channels: self.channels,
            groups: self.groups,
            written: self.output,
            packed: &packed,
            bias,
            relu: self.relu,
        };
        correlate(&mut output, input, &correlation);
        output
    }

    /// The gradient by the input, from the gradient of the output.
    pub fn input_gradient(&self, gradient: &[f32], kernel: &[f32]) -> Vec<f32> {
        let [outputs, channels, height, width] = self.kernel();
        let outputs = outputs / self.groups;
        let area = height * width;
        let mut input = vec![0.0; self.input().iter().product()];
        for rows in self.rows.backward(self.output.0) {
            for columns in self.columns.backward(self.output.1) {
                let plan = Plan::new(rows.clone(), columns, channels);
                let indices = plan.kernel_indices(width);
                let taps = outputs * indices.len();
                let mut packed = Vec::new();
                for kernel in kernel.chunks_exact(outputs * channels * area) {
                    pack(&mut packed, kernel, (channels, taps), |channel, tap| {
                        let (output, tap) = (tap / indices.len(), indices[tap % indices.len()]);
                        (output * channels + channel) * area + tap
                    });
                }
                let correlation = Correlation {
                    plan: &plan,
                    channels: (self.channels.1, self.channels.0),
                    groups: self.groups,
                    written: (self.rows.input, self.columns.input),
                    packed: &packed,
                    bias: None,
                    relu: false,
                };
                correlate(&mut input, gradient, &correlation);
            }
        }
        input
    }

    /// The gradients by the kernel and by the bias, from the gradient of the output.
    pub fn weight_gradients(&self, input: &[f32], gradient: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let weights = Weights {
            plan: &self.plan(),
            channels: self.channels,
            groups: self.groups,
        };
        weights.gradients(input, gradient)
    }
}
