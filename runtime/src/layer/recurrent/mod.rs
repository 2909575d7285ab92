//! Recurrent layers, with PyTorch's parameters, settings and initialisation.

mod gru;
mod lstm;
mod rnn;

pub use gru::{Gru, GruConfig};
pub use lstm::{Lstm, LstmConfig};
pub use rnn::{Nonlinearity, Rnn, RnnConfig};

use burn::module::Param;
use burn::nn::{Dropout, DropoutConfig, Initializer};
use burn::tensor::{Device, Tensor};

use super::linear::{linear, optional};
use super::named::Named;
use crate::tangent::{Dual, Pass, Tangent};

/// What the recurrent layers have in common: layers above each other, in one or both directions,
/// each of which walks along the sequence from a state of zeros.
#[derive(Clone, Debug)]
struct Recurrent {
    /// `weight_ih_l0`, `weight_hh_l0`, `weight_ih_l0_reverse`, ..
    weights: Named<Param<Tensor<2>>>,
    /// `bias_ih_l0`, `bias_hh_l0`, ..; none of them, or as many as weights.
    biases: Named<Param<Tensor<1>>>,
    dropout: Dropout,
    sizes: Sizes,
}

crate::__impl_module!(Recurrent {
    weights: [] [],
    biases: [] [],
    dropout: ["dropout"] ["dropout"],
} keep { sizes });

#[derive(Clone, Copy, Debug)]
struct Sizes {
    inputs: usize,
    hidden: usize,
    layers: usize,
    directions: usize,
}

/// Makes the [`Recurrent`] of a configuration, with `$gates` numbers for each of its hidden ones.
macro_rules! recurrent {
    ($config:ident, $gates:literal) => {
        impl $config {
            fn recurrent(&self, device: &Device) -> Recurrent {
                let sizes = Sizes {
                    inputs: self.inputs,
                    hidden: self.hidden,
                    layers: self.layers,
                    directions: 1 + usize::from(self.bidirectional),
                };
                Recurrent::new(sizes, $gates, self.bias, self.dropout, device)
            }
        }
    };
}
use recurrent;

impl Recurrent {
    /// Everything is drawn from U(−1/√hidden, 1/√hidden).
    fn new(sizes: Sizes, gates: usize, bias: bool, dropout: f64, device: &Device) -> Self {
        let bound = (sizes.hidden as f64).sqrt().recip();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let rows = gates * sizes.hidden;
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for layer in 0..sizes.layers {
            let inputs = match layer {
                0 => sizes.inputs,
                _ => sizes.directions * sizes.hidden,
            };
            for suffix in ["", "_reverse"].into_iter().take(sizes.directions) {
                for (kind, columns) in [("ih", inputs), ("hh", sizes.hidden)] {
                    let name = format!("weight_{kind}_l{layer}{suffix}");
                    weights.push((name, uniform.init([rows, columns], device)));
                    if bias {
                        let name = format!("bias_{kind}_l{layer}{suffix}");
                        biases.push((name, uniform.init([rows], device)));
                    }
                }
            }
        }
        Recurrent {
            weights: Named(weights),
            biases: Named(biases),
            dropout: DropoutConfig::new(dropout).init(),
            sizes,
        }
    }

    /// `[batch, length, inputs]` to `[batch, length, directions * hidden]`.
    ///
    /// `step` takes what the input and the hidden numbers contribute to the gates,
    /// `[batch, gates * hidden]` each, and the state, whose first value is the output.
    fn forward_dual<const STATE: usize>(
        &self,
        along: Option<&Self>,
        input: Dual<3>,
        pass: &mut Pass,
        step: impl Fn(Dual<2>, Dual<2>, [Dual<2>; STATE]) -> [Dual<2>; STATE],
    ) -> Dual<3> {
        let [batch, length, _] = input.dims();
        let Sizes {
            hidden,
            layers,
            directions,
            ..
        } = self.sizes;
        let zeros = Dual::constant(Tensor::zeros([batch, hidden], &input.value.device()));
        // Sequences along the first dimension, so that a step lies in one piece.
        let mut sequence = input.linear(|x| x.swap_dims(0, 1));
        for layer in 0..layers {
            if layer > 0 {
                sequence = self.dropout.forward_dual(None, sequence, pass);
            }
            let run = |direction: usize| {
                let cell = 2 * (layer * directions + direction);
                let weight = |index: usize| {
                    let along = along.map(|along| &along.weights.0[index].1);
                    let weight = Dual::parameter(&self.weights.0[index].1, along);
                    weight.linear(|x| x.transpose())
                };
                let bias = |index: usize| {
                    let along = along.and_then(|along| along.biases.0.get(index));
                    let bias = self.biases.0.get(index).map(|(_, bias)| bias);
                    optional(bias, along.map(|(_, bias)| bias))
                };
                let from_input = linear(sequence.clone(), weight(cell), bias(cell));
                let (weight, bias) = (weight(cell + 1), bias(cell + 1));
                let mut steps = Vec::with_capacity(length);
                split(from_input, &mut steps);
                let backwards = direction == 1;
                if backwards {
                    steps.reverse();
                }
                let mut state = std::array::from_fn::<_, STATE, _>(|_| zeros.clone());
                let mut outputs = Vec::with_capacity(length);
                for from_input in steps {
                    let from_hidden = linear(state[0].clone(), weight.clone(), bias.clone());
                    state = step(from_input, from_hidden, state);
                    outputs.push(state[0].clone());
                }
                if backwards {
                    outputs.reverse();
                }
                Dual::stack::<3>(outputs, 0)
            };
            sequence = match directions {
                1 => run(0),
                _ => Dual::cat(vec![run(0), run(1)], 2),
            };
        }
        sequence.linear(|x| x.swap_dims(0, 1))
    }
}

/// Appends the steps of `[length, batch, features]` to `steps`.
///
/// By halves: the gradient of a part is written into zeros of the size of what it was taken from,
/// so that steps taken from the whole would cost the square of the length.
fn split(sequence: Dual<3>, steps: &mut Vec<Dual<2>>) {
    match sequence.dims()[0] {
        0 => {}
        1 => steps.push(sequence.linear(|x| x.squeeze_dim(0))),
        length => {
            let half = length / 2;
            split(sequence.clone().narrow(0, 0, half), steps);
            split(sequence.narrow(0, half, length - half), steps);
        }
    }
}

/// The part of `[batch, gates * hidden]` that belongs to gate `index`.
fn gate(gates: &Dual<2>, index: usize, hidden: usize) -> Dual<2> {
    gates.clone().narrow(1, index * hidden, hidden)
}
