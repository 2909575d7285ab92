//! The gated recurrent unit.

use burn::config::Config;
use burn::tensor::{Device, Tensor};

use super::{Recurrent, Sizes, gate, recurrent};
use crate::tangent::{Dual, Pass, Tangent, value_of};

/// Gated recurrent unit (Cho et al. 2014) as cuDNN computes it, PyTorch's `nn.GRU` with
/// `batch_first=True`, from a state of zeros:
///
/// `r, z = σ(W_ih x + b_ih + W_hh h + b_hh)`, `n = tanh(W_in x + b_in + r (W_hn h + b_hn))`,
/// `h' = (1 - z) n + z h`.
///
/// Parameters: `weight_ih_l0` of `[3 * hidden, inputs]`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`,
/// and so on for `_l1`, `_l0_reverse`.
#[derive(Clone, Debug)]
pub struct Gru {
    recurrent: Recurrent,
}

crate::__impl_module!(Gru { recurrent: [] [], } keep {});

/// The settings of a [`Gru`].
#[derive(Config, Debug)]
pub struct GruConfig {
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
}

recurrent!(GruConfig, 3);

impl GruConfig {
    /// The layer, its parameters drawn from U(−1/√hidden, 1/√hidden).
    ///
    /// # Panics
    ///
    /// Where `dropout` is not in [0, 1).
    pub fn init(&self, device: &Device) -> Gru {
        Gru {
            recurrent: self.recurrent(device),
        }
    }
}

impl Gru {
    /// `[batch, length, inputs]` to `[batch, length, hidden]`, twice as many features where it is
    /// bidirectional.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for Gru {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, pass: &mut Pass) -> Dual<3> {
        let recurrent = along.map(|along| &along.recurrent);
        let hidden = self.recurrent.sizes.hidden;
        self.recurrent.forward_dual(
            recurrent,
            input,
            pass,
            |from_input, from_hidden, [state]| {
                let [reset, update] = [0, 1].map(|index| {
                    (gate(&from_input, index, hidden) + gate(&from_hidden, index, hidden)).sigmoid()
                });
                let new = gate(&from_input, 2, hidden) + reset * gate(&from_hidden, 2, hidden);
                let new = new.tanh();
                [new.clone() + update * (state - new)]
            },
        )
    }
}
