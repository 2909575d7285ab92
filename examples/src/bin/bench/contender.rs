//! Who takes part, and in what.

use std::fmt;
use std::str::FromStr;

use crate::case::{Case, Network, Rule};

/// One of those that are compared, each in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Networks declared with `model!`, stepped as the trainer does.
    Declared,
    /// The same by hand with the layers, and so the kernels, that a declaration uses.
    ByHand,
    /// By hand with Burn's own layers and optimizers.
    Burn,
    /// Declared networks on Burn's ndarray backend.
    NdArray,
    /// PyTorch, in Python.
    PyTorch,
}

impl Contender {
    pub const ALL: [Contender; 5] = [
        Contender::Declared,
        Contender::ByHand,
        Contender::Burn,
        Contender::NdArray,
        Contender::PyTorch,
    ];

    /// As in the JSON, on the command line and in the head of the table.
    pub fn name(self) -> &'static str {
        match self {
            Contender::Declared => "declared",
            Contender::ByHand => "by-hand",
            Contender::Burn => "burn",
            Contender::NdArray => "ndarray",
            Contender::PyTorch => "pytorch",
        }
    }

    /// Whether this contender takes part in `case`.
    pub fn takes_part(self, case: Case) -> bool {
        let network = match case {
            Case::Step(network) | Case::Infer(network) | Case::Optimizer(network) => network,
            Case::OptimizerStep(rule) => {
                return self == Contender::Declared
                    || self == Contender::Burn && rule != Rule::Lars;
            }
            Case::Loader => return [Contender::Declared, Contender::PyTorch].contains(&self),
            Case::Accumulate(_) => return self == Contender::Declared,
        };
        match self {
            Contender::Burn | Contender::PyTorch => true,
            Contender::NdArray => {
                matches!(case, Case::Step(_)) && matches!(network, Network::Mlp | Network::Cnn)
            }
            Contender::Declared => true,
            // By hand in every step, to compare the declared networks with.
            Contender::ByHand => matches!(case, Case::Step(_)),
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = Contender::ALL.into_iter();
        all.find(|contender| contender.name() == name)
            .ok_or_else(|| format!("no contender is called `{name}`"))
    }
}
