//! The long short-term memory.

use burn::config::Config;
use burn::tensor::{Device, Tensor};

use super::{Recurrent, Sizes, gate, recurrent};
use crate::tangent::{Dual, Pass, Tangent, value_of};

/// Long short-term memory with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000),
/// PyTorch's `nn.LSTM` with `batch_first=True`, from a state of zeros:
///
/// `i, f, g, o = σ, σ, tanh, σ of W_ih x + b_ih + W_hh h + b_hh`,
/// `c' = f c + i g`, `h' = o tanh(c')`.
///
/// Parameters: `weight_ih_l0` of `[4 * hidden, inputs]`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`,
/// and so on for `_l1`, `_l0_reverse`.
#[derive(Clone, Debug)]
pub struct Lstm {
    recurrent: Recurrent,
}

crate::__impl_module!(Lstm { recurrent: [] [], } keep {});

/// The settings of an [`Lstm`].
#[derive(Config, Debug)]
pub struct LstmConfig {
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

recurrent!(LstmConfig, 4);

impl LstmConfig {
    /// The layer, its parameters drawn from U(−1/√hidden, 1/√hidden).
    ///
    /// # Panics
    ///
    /// Where `dropout` is not in [0, 1).
    pub fn init(&self, device: &Device) -> Lstm {
        Lstm {
            recurrent: self.recurrent(device),
        }
    }
}

impl Lstm {
    /// `[batch, length, inputs]` to `[batch, length, hidden]`, twice as many features where it is
    /// bidirectional.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        value_of(self, input)
    }
}

impl Tangent<Dual<3>, Dual<3>> for Lstm {
    fn forward_dual(&self, along: Option<&Self>, input: Dual<3>, pass: &mut Pass) -> Dual<3> {
        let recurrent = along.map(|along| &along.recurrent);
        let hidden = self.recurrent.sizes.hidden;
        self.recurrent.forward_dual(
            recurrent,
            input,
            pass,
            |from_input, from_hidden, [_, memory]| {
                let gates = from_input + from_hidden;
                let [input, forget, output] =
                    [0, 1, 3].map(|index| gate(&gates, index, hidden).sigmoid());
                let memory = forget * memory + input * gate(&gates, 2, hidden).tanh();
                [output * memory.clone().tanh(), memory]
            },
        )
    }
}
