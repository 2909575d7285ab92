//! The convolution and its transpose on a backend's tensors, and their backward passes.

use burn::backend::tensor::FloatTensor;

use super::Convolution;
use crate::kernel::cpu::host::Host;
use crate::kernel::cpu::pointwise;
use crate::kernel::cpu::record::Step;

/// The output.
pub fn forward<B: Host>(
    input: &FloatTensor<B>,
    kernel: &FloatTensor<B>,
    bias: Option<&FloatTensor<B>>,
    convolution: &Convolution,
) -> FloatTensor<B> {
    let bias = bias.map(|bias| B::read(bias));
    let output = convolution.forward(&B::read(input), &B::read(kernel), bias.as_deref());
    B::make(output, convolution.output(), input)
}

/// The output, and what its backward pass needs.
pub fn forward_recorded<B: Host>(
    input: FloatTensor<B>,
    kernel: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    convolution: Convolution,
) -> (FloatTensor<B>, Convolved<B>) {
    let output = forward::<B>(&input, &kernel, bias.as_ref(), &convolution);
    let clipped = convolution.relu.then(|| output.clone());
    let step = Convolved {
        input,
        kernel,
        clipped,
        convolution,
    };
    (output, step)
}

/// What the backward pass needs.
#[derive(Clone, Debug)]
pub struct Convolved<B: Host> {
    input: FloatTensor<B>,
    kernel: FloatTensor<B>,
    /// The output, where a ReLU followed.
    clipped: Option<FloatTensor<B>>,
    convolution: Convolution,
}

impl<B: Host> Convolved<B> {
    fn run(self, output: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        let Convolved {
            input,
            kernel,
            clipped,
            convolution,
        } = self;
        let output = match clipped {
            Some(clipped) => B::update(output, |gradient| {
                pointwise::relu_gradient(gradient, &B::read(&clipped));
            }),
            None => output,
        };
        let gradient = B::read(&output);
        let by_input = wanted[0].then(|| {
            let values = convolution.input_gradient(&gradient, &B::read(&kernel));
            B::make(values, convolution.input(), &input)
        });
        let (mut by_kernel, mut by_bias) = (None, None);
        if wanted[1] || wanted[2] {
            let (weights, bias) = convolution.weight_gradients(&B::read(&input), &gradient);
            let [outputs, ..] = convolution.kernel();
            by_kernel = wanted[1].then(|| B::make(weights, convolution.kernel(), &input));
            by_bias = wanted[2].then(|| B::make(bias, [outputs], &input));
        }
        [by_input, by_kernel, by_bias]
    }
}

impl<B: Host> Step<B, 3> for Convolved<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        self.run(output, wanted)
    }
}

impl<B: Host> Step<B, 2> for Convolved<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let [by_input, by_kernel, _] = self.run(output, [wanted[0], wanted[1], false]);
        [by_input, by_kernel]
    }
}

/// The output of the convolution's transpose: what its input's gradient would be.
pub fn transposed<B: Host>(
    input: &FloatTensor<B>,
    kernel: &FloatTensor<B>,
    convolution: &Convolution,
) -> FloatTensor<B> {
    let output = convolution.input_gradient(&B::read(input), &B::read(kernel));
    B::make(output, convolution.input(), input)
}

/// What the backward pass of [`transposed`] needs.
#[derive(Clone, Debug)]
pub struct Transposed<B: Host> {
    pub input: FloatTensor<B>,
    pub kernel: FloatTensor<B>,
    pub convolution: Convolution,
}

impl<B: Host> Step<B, 2> for Transposed<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 2]) -> [Option<FloatTensor<B>>; 2] {
        let Transposed {
            input,
            kernel,
            convolution,
        } = self;
        let by_input = wanted[0].then(|| forward::<B>(&output, &kernel, None, &convolution));
        let by_kernel = wanted[1].then(|| {
            let (weights, _) = convolution.weight_gradients(&B::read(&output), &B::read(&input));
            B::make(weights, convolution.kernel(), &kernel)
        });
        [by_input, by_kernel]
    }
}
