//! Padding.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::ops;

use crate::tangent::{Dual, Pass, Tangent};

/// What a [`Pad`] puts around its input.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum PadMode {
    /// One number.
    Constant(f32),
    /// The input, mirrored at its first and last number: of `1 2 3`, `3 2 1 2 3 2 1`.
    Reflect,
    /// The first and the last number again.
    Replicate,
    /// The input again: of `1 2 3`, `2 3 1 2 3 1 2`.
    Circular,
}

/// The settings of a [`Pad`].
#[derive(Config, Debug)]
pub struct PadConfig {
    /// How much before and behind each dimension of an example; those of the last dimensions, in the
    /// order of the dimensions.
    pub amounts: Vec<[usize; 2]>,
    /// What is put there.
    #[config(default = "PadMode::Constant(0.0)")]
    pub mode: PadMode,
}

/// Puts numbers around each example, as PyTorch's
/// [`pad`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html).
#[derive(Module, Debug)]
pub struct Pad {
    /// How much before and behind each of the last dimensions.
    pub amounts: Vec<[usize; 2]>,
    /// What is put there.
    #[module(skip)]
    pub mode: PadMode,
}

impl PadConfig {
    /// The layer.
    pub fn init(&self) -> Pad {
        Pad {
            amounts: self.amounts.clone(),
            mode: self.mode,
        }
    }
}

impl Pad {
    /// `[batch, ..]`, each of the last dimensions longer by what is put before and behind it.
    ///
    /// # Panics
    ///
    /// Where there are more amounts than dimensions; where `Reflect` is asked for a dimension's size
    /// or more, or `Circular` for more than its size.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.put(input, self.mode)
    }

    fn put<const D: usize>(&self, input: Tensor<D>, mode: PadMode) -> Tensor<D> {
        let mode = match mode {
            PadMode::Constant(value) => ops::PadMode::Constant(value),
            PadMode::Reflect => ops::PadMode::Reflect,
            PadMode::Replicate => ops::PadMode::Edge,
            PadMode::Circular => return self.circular(input),
        };
        let amounts: Vec<_> = self.amounts.iter().copied().map(<(_, _)>::from).collect();
        input.pad(amounts, mode)
    }

    /// Burn has no such mode.
    fn circular<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let first = D - self.amounts.len();
        let amounts = self.amounts.iter().enumerate();
        amounts.fold(input, |input, (axis, &[before, behind])| {
            let axis = first + axis;
            let size = input.dims()[axis];
            let mut parts = Vec::new();
            if before > 0 {
                parts.push(input.clone().narrow(axis, size - before, before));
            }
            parts.push(input.clone());
            if behind > 0 {
                parts.push(input.narrow(axis, 0, behind));
            }
            Tensor::cat(parts, axis)
        })
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for Pad {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        // A number that is put there does not change.
        let mode = match self.mode {
            PadMode::Constant(_) => PadMode::Constant(0.0),
            mode => mode,
        };
        Dual {
            value: self.forward(input.value),
            tangent: input.tangent.map(|tangent| self.put(tangent, mode)),
        }
    }
}
