//! Group and instance normalization.

use std::ops::{Deref, DerefMut};

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use super::linear::optional;
use crate::tangent::{Dual, Pass, Tangent, part, value_of};

/// `(x - mean) / sqrt(variance + epsilon) gamma + beta` with mean and variance, Σ(x − x̄)²/n, of
/// each group of channels of each example (Wu and He 2018), as PyTorch's `GroupNorm`.
///
/// Burn's computes the same in nine passes instead of one.
#[derive(Module, Debug)]
pub struct GroupNorm {
    /// The factor of each channel, `[channels]`; PyTorch's `weight`.
    pub gamma: Option<Param<Tensor<1>>>,
    /// What is added to each channel, `[channels]`; PyTorch's `bias`.
    pub beta: Option<Param<Tensor<1>>>,
    /// Into how many groups the channels are split.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f64,
}

/// The settings of [`GroupNorm`], with PyTorch's defaults.
#[derive(Config, Debug)]
pub struct GroupNormConfig {
    /// Into how many groups the channels are split; divides them.
    pub groups: usize,
    /// How many channels come in.
    pub channels: usize,
    /// Added to the variance.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether there are gamma and beta.
    #[config(default = true)]
    pub affine: bool,
}

impl GroupNormConfig {
    /// The layer, with a gamma of 1 and a beta of 0.
    pub fn init(&self, device: &Device) -> GroupNorm {
        let vector = |initializer: Initializer| {
            self.affine
                .then(|| initializer.init([self.channels], device))
        };
        GroupNorm {
            gamma: vector(Initializer::Ones),
            beta: vector(Initializer::Zeros),
            groups: self.groups,
            epsilon: self.epsilon,
        }
    }
}

impl GroupNorm {
    /// `[batch, channels, ..]`; the shape stays.
    ///
    /// # Panics
    ///
    /// If the groups do not divide the channels, or the channels are not as many as those of gamma.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        value_of(self, input)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for GroupNorm {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        let shape = input.dims();
        let rows = shape[0] * self.groups;
        let size = shape[1..].iter().product::<usize>() / self.groups;
        let normal = input
            .reshape([rows, size])
            .normal(self.epsilon)
            .reshape(shape);
        let gamma = along.and_then(|along| along.gamma.as_ref());
        let beta = along.and_then(|along| along.beta.as_ref());
        let gamma = optional(self.gamma.as_ref(), gamma);
        let beta = optional(self.beta.as_ref(), beta);
        let (Some(gamma), Some(beta)) = (gamma, beta) else {
            return normal;
        };
        let mut channels = [1; D];
        channels[1] = shape[1];
        normal * gamma.reshape(channels) + beta.reshape(channels)
    }
}

/// `(x - mean) / sqrt(variance + epsilon) gamma + beta` with mean and variance, Σ(x − x̄)²/n, of
/// each channel of each example (Ulyanov et al. 2016), as PyTorch's `InstanceNorm`.
///
/// It is a [`GroupNorm`] of one channel per group, and holds one, since Burn's reader of PyTorch's
/// files knows a group normalization's parameters, but not those of an instance normalization.
#[derive(Clone, Debug)]
pub struct InstanceNorm {
    inner: GroupNorm,
}

crate::__impl_module!(InstanceNorm { inner: [] [], } keep {});

/// The settings of [`InstanceNorm`], with PyTorch's defaults.
#[derive(Config, Debug)]
pub struct InstanceNormConfig {
    /// How many channels come in.
    pub channels: usize,
    /// Added to the variance.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether there are gamma and beta. Burn's default is that there are.
    #[config(default = false)]
    pub affine: bool,
}

impl InstanceNormConfig {
    /// The layer, with a gamma of 1 and a beta of 0.
    pub fn init(&self, device: &Device) -> InstanceNorm {
        let inner = GroupNormConfig::new(self.channels, self.channels)
            .with_epsilon(self.epsilon)
            .with_affine(self.affine);
        InstanceNorm {
            inner: inner.init(device),
        }
    }
}

impl InstanceNorm {
    /// `[batch, channels, ..]`; the shape stays.
    ///
    /// # Panics
    ///
    /// If the channels are not as many as those of gamma.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.inner.forward(input)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for InstanceNorm {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<D>, pass: &mut Pass) -> Dual<D> {
        part!(self.inner, along, input, pass)
    }
}

impl Deref for InstanceNorm {
    type Target = GroupNorm;

    fn deref(&self) -> &GroupNorm {
        &self.inner
    }
}

impl DerefMut for InstanceNorm {
    fn deref_mut(&mut self) -> &mut GroupNorm {
        &mut self.inner
    }
}
