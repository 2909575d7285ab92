//! The simple recurrent layer.

use burn::config::Config;
use burn::tensor::{Device, Tensor};

use super::{Recurrent, Sizes, recurrent};
use crate::tangent::{Dual, Pass, Tangent, value_of};

/// Simple recurrent network (Elman 1990), PyTorch's `nn.RNN` with `batch_first=True`, from a state
/// of zeros: `h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or with a ReLU in place of the tanh.
///
/// Parameters: `weight_ih_l0` of `[hidden, inputs]`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`,
/// and so on for `_l1`, `_l0_reverse`.
#[derive(Clone, Debug)]
pub struct Rnn {
    recurrent: Recurrent,
    nonlinearity: Nonlinearity,
}

crate::__impl_module!(Rnn { recurrent: [] [], } keep { nonlinearity });

/// What bounds the state of an [`Rnn`].
#[derive(Config, Copy, Debug, PartialEq, Eq)]
pub enum Nonlinearity {
    /// The hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
}

/// The settings of an [`Rnn`].
#[derive(Config, Debug)]
pub struct RnnConfig {
    /// The features of each element of the input.
    pub inputs: usize,
    /// The features of each element of the output, in each direction.
    pub hidden: usize,
    /// How many layers there are, above each other.
    #[config(default = 1)]
    pub layers: usize,
    /// Whether the sequence is walked backwards too; both outputs lie behind each other.
    #[config(default = false)]
    pub bidirectional: bool,
    /// Whether there are biases.
    #[config(default = true)]
    pub bias: bool,
    /// The share of numbers between two layers that is zeroed in training.
    #[config(default = 0.0)]
    pub dropout: f64,
    /// What is applied to the sum.
    #[config(default = "Nonlinearity::Tanh")]
    pub nonlinearity: Nonlinearity,
}

recurrent!(RnnConfig, 1);

impl RnnConfig {
    /// The layer, its parameters drawn from U(−1/√hidden, 1/√hidden).
    ///
    /// # Panics
    ///
    /// Where `dropout` is not in [0, 1).
    pub fn init(&self, device: &Device) -> Rnn {
        Rnn {
            recurrent: self.recurrent(device),
            nonlinearity: self.nonlinearity,
        }
    }
}

impl Rnn {
    /// `[batch, length, inputs]` to `[batch, length, hidden]`, twice as many features where it is
    /// bidirectional.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for Rnn {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, pass: &mut Pass) -> Dual<3> {
        let recurrent = along.map(|along| &along.recurrent);
        self.recurrent
            .forward_dual(recurrent, input, pass, |from_input, from_hidden, [_]| {
                let sum = from_input + from_hidden;
                [match self.nonlinearity {
                    Nonlinearity::Tanh => sum.tanh(),
                    Nonlinearity::Relu => sum.relu(),
                }]
            })
    }
}
