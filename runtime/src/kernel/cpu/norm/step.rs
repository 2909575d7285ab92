//! Batch normalization on a backend's tensors, and its backward passes.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;

use super::BatchNorm;
use super::element::Affine;
use super::moments::Moments;
use crate::kernel::cpu::host::Host;
use crate::kernel::cpu::record::Step;

/// The output, and the batch's mean and biased variance of each channel.
pub type Output<B> = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>);

/// The output by the batch's own moments.
pub fn trained<B: Host>(
    input: FloatTensor<B>,
    gamma: &FloatTensor<B>,
    beta: &FloatTensor<B>,
    norm: BatchNorm,
) -> Output<B> {
    let moments = norm.moments(&B::read(&input));
    let (mean, variance) = statistics::<B>(&moments, gamma);
    let channels = Channels::new::<B>(moments, gamma, beta, norm);
    (channels.apply::<B>(input), mean, variance)
}

/// The output by the batch's own moments, and what its backward pass needs.
pub fn trained_recorded<B: Host>(
    input: FloatTensor<B>,
    gamma: &FloatTensor<B>,
    beta: &FloatTensor<B>,
    norm: BatchNorm,
) -> (Output<B>, Trained<B>) {
    let moments = norm.moments(&B::read(&input));
    let (mean, variance) = statistics::<B>(&moments, gamma);
    let channels = Channels::new::<B>(moments, gamma, beta, norm);
    let output = channels.applied::<B>(&input);
    ((output, mean, variance), Trained { input, channels })
}

/// The output by given moments.
pub fn frozen<B: Host>(
    input: FloatTensor<B>,
    [gamma, beta, mean, variance]: [&FloatTensor<B>; 4],
    norm: BatchNorm,
) -> FloatTensor<B> {
    let moments = given::<B>(mean, variance);
    Channels::new::<B>(moments, gamma, beta, norm).apply::<B>(input)
}

/// The output by given moments, and what its backward pass needs.
pub fn frozen_recorded<B: Host>(
    input: FloatTensor<B>,
    [gamma, beta, mean, variance]: [&FloatTensor<B>; 4],
    norm: BatchNorm,
) -> (FloatTensor<B>, Frozen<B>) {
    let moments = given::<B>(mean, variance);
    let channels = Channels::new::<B>(moments, gamma, beta, norm);
    let output = channels.applied::<B>(&input);
    (output, Frozen { input, channels })
}

fn given<B: Host>(mean: &FloatTensor<B>, variance: &FloatTensor<B>) -> Vec<Moments> {
    let (mean, variance) = (B::read(mean), B::read(variance));
    let moments = mean.iter().zip(variance.iter());
    moments
        .map(|(&mean, &variance)| Moments {
            mean: mean.into(),
            variance: variance.into(),
        })
        .collect()
}

fn statistics<B: Host>(
    moments: &[Moments],
    like: &FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let make = |value: fn(&Moments) -> f64| {
        let values: Vec<_> = moments
            .iter()
            .map(|moments| value(moments) as f32)
            .collect();
        B::make(values, [moments.len()], like)
    };
    (make(|of| of.mean), make(|of| of.variance))
}

/// What is done to each channel.
#[derive(Clone, Debug)]
struct Channels {
    norm: BatchNorm,
    moments: Vec<Moments>,
    /// Of each line.
    affine: Vec<Affine<f32>>,
}

impl Channels {
    fn new<B: Host>(
        moments: Vec<Moments>,
        gamma: &FloatTensor<B>,
        beta: &FloatTensor<B>,
        norm: BatchNorm,
    ) -> Self {
        let (gamma, beta) = (B::read(gamma), B::read(beta));
        let affine = norm.lines_of(|channel| {
            let of = moments[channel];
            let scale = f64::from(gamma[channel]) * of.inverse_deviation(norm.epsilon);
            Affine::new(of.mean, scale, beta[channel].into())
        });
        Channels {
            norm,
            moments,
            affine,
        }
    }

    /// The output, in place where nobody else holds the input.
    fn apply<B: Host>(&self, input: FloatTensor<B>) -> FloatTensor<B> {
        B::update(input, |values| self.norm.apply(&self.affine, None, values))
    }

    /// The output; the input stays.
    fn applied<B: Host>(&self, input: &FloatTensor<B>) -> FloatTensor<B> {
        let values = B::read(input);
        let mut output = vec![0.0; values.len()];
        self.norm.apply(&self.affine, Some(&values), &mut output);
        B::make(output, input.shape(), input)
    }

    /// The sums that the gradients of a channel are made of.
    fn sums<B: Host>(&self, input: &FloatTensor<B>, output: &FloatTensor<B>) -> Vec<Sums> {
        let sums = self
            .norm
            .sums(&self.affine, &B::read(input), &B::read(output));
        let channels = sums.into_iter().zip(&self.moments).enumerate();
        channels
            .map(|(channel, ([gradient, products], moments))| {
                let affine = self.affine[channel * self.norm.each()];
                // What the center leaves out of the mean.
                let rest = moments.mean - f64::from(affine.center);
                let inverse = moments.inverse_deviation(self.norm.epsilon);
                Sums {
                    gradient,
                    normalized: (products - rest * gradient) * inverse,
                    inverse,
                    rest,
                    scale: affine.scale.into(),
                }
            })
            .collect()
    }

    /// The gradient by the input, for the terms of each channel.
    fn input_gradient<B: Host>(
        &self,
        input: &FloatTensor<B>,
        output: FloatTensor<B>,
        terms: impl Fn(usize) -> [f32; 2],
    ) -> FloatTensor<B> {
        let terms = self.norm.lines_of(terms);
        B::update(output, |gradient| {
            let input = B::read(input);
            self.norm
                .input_gradient(&self.affine, &terms, &input, gradient);
        })
    }
}

/// The sums of one channel.
struct Sums {
    /// Of the gradient of the output.
    gradient: f64,
    /// Of that times the normalized input.
    normalized: f64,
    inverse: f64,
    rest: f64,
    scale: f64,
}

fn by<B: Host>(
    sums: &[Sums],
    like: &FloatTensor<B>,
    value: impl Fn(&Sums) -> f64,
) -> FloatTensor<B> {
    let values: Vec<_> = sums.iter().map(|sums| value(sums) as f32).collect();
    B::make(values, [sums.len()], like)
}

/// What the backward pass by the batch's own moments needs.
#[derive(Clone, Debug)]
pub struct Trained<B: Host> {
    input: FloatTensor<B>,
    channels: Channels,
}

impl<B: Host> Step<B, 3> for Trained<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 3]) -> [Option<FloatTensor<B>>; 3] {
        let Trained { input, channels } = self;
        let sums = channels.sums::<B>(&input, &output);
        let by_gamma = wanted[1].then(|| by::<B>(&sums, &output, |sums| sums.normalized));
        let by_beta = wanted[2].then(|| by::<B>(&sums, &output, |sums| sums.gradient));
        let count = (channels.norm.batch * channels.norm.length) as f64;
        // scale (g - mean(g) - normalized mean(g normalized))
        let by_input = wanted[0].then(|| {
            channels.input_gradient::<B>(&input, output, |channel| {
                let sums = &sums[channel];
                let slope = -sums.scale * sums.inverse * sums.normalized / count;
                let constant = -sums.scale * sums.gradient / count - slope * sums.rest;
                [slope as f32, constant as f32]
            })
        });
        [by_input, by_gamma, by_beta]
    }
}

/// What the backward pass by given moments needs.
#[derive(Clone, Debug)]
pub struct Frozen<B: Host> {
    input: FloatTensor<B>,
    channels: Channels,
}

impl<B: Host> Step<B, 5> for Frozen<B> {
    fn gradients(self, output: FloatTensor<B>, wanted: [bool; 5]) -> [Option<FloatTensor<B>>; 5] {
        let Frozen { input, channels } = self;
        let [by_input, by_gamma, by_beta, by_mean, by_variance] = wanted;
        let mut sums = Vec::new();
        if by_gamma || by_beta || by_mean || by_variance {
            sums = channels.sums::<B>(&input, &output);
        }
        let by =
            |wanted: bool, value: fn(&Sums) -> f64| wanted.then(|| by::<B>(&sums, &output, value));
        let by_gamma = by(by_gamma, |sums| sums.normalized);
        let by_beta = by(by_beta, |sums| sums.gradient);
        let by_mean = by(by_mean, |sums| -sums.scale * sums.gradient);
        let by_variance = by(by_variance, |sums| {
            -0.5 * sums.scale * sums.inverse * sums.normalized
        });
        let by_input = by_input.then(|| channels.input_gradient::<B>(&input, output, |_| [0.0; 2]));
        [by_input, by_gamma, by_beta, by_mean, by_variance]
    }
}
