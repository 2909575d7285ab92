//! What is timed, by name.

use std::fmt;
use std::str::FromStr;

/// A network that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// 784-512-256-10 on 28×28.
    Mlp,
    /// conv16-pool-conv32-pool-128-10 on 28×28.
    Cnn,
    /// ResNet-20 on 3×32×32.
    ResNet20,
    /// The character transformer.
    Transformer,
}

impl Network {
    pub const ALL: [Network; 4] = [
        Network::Mlp,
        Network::Cnn,
        Network::ResNet20,
        Network::Transformer,
    ];

    /// As in the names of the ratios.
    pub fn name(self) -> &'static str {
        match self {
            Network::Mlp => "mlp",
            Network::Cnn => "cnn",
            Network::ResNet20 => "resnet20",
            Network::Transformer => "transformer",
        }
    }

    /// How many examples a step sees, if `--batch` says `batch`: a sequence is worth eight images.
    pub fn batch(self, batch: usize) -> usize {
        match self {
            Network::Transformer => (batch / 8).max(1),
            _ => batch,
        }
    }
}

/// An update rule that is timed on the parameters of [`Network::ResNet20`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// With momentum and decay.
    Sgd,
    AdamW,
    /// Of the weights; biases and norms as with [`Rule::Sgd`].
    Lars,
}

impl Rule {
    pub const ALL: [Rule; 3] = [Rule::Sgd, Rule::AdamW, Rule::Lars];

    /// As in the names of the ratios.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Sgd => "sgd",
            Rule::AdamW => "adamw",
            Rule::Lars => "lars",
        }
    }
}

/// One thing that a contender can be asked to do again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Forward, loss, backward, update.
    Step(Network),
    /// Forward without recording gradients.
    Infer(Network),
    /// The update alone.
    Optimizer(Network),
    /// The update of ResNet-20's parameters alone, by this rule.
    OptimizerStep(Rule),
    /// One epoch of shuffled batches from images in memory.
    Loader,
    /// One epoch of the CNN at this batch, in micro-batches of [`MICRO_BATCH`].
    Accumulate(usize),
}

/// Images per micro-batch of [`Case::Accumulate`].
pub const MICRO_BATCH: usize = 32;

/// The batches of [`Case::Accumulate`]; the first is what the others are compared with.
pub fn accumulated(quick: bool) -> &'static [usize] {
    if quick {
        &[32, 128]
    } else {
        &[32, 128, 512, 2048, 8192]
    }
}

/// How many images [`Case::Loader`] and [`Case::Accumulate`] go through.
pub fn images(quick: bool) -> usize {
    accumulated(quick).iter().copied().max().unwrap_or(1)
}

impl Case {
    /// Those that all contenders are compared in, in the order of the table.
    pub fn compared() -> Vec<Case> {
        let kinds = [Case::Step, Case::Infer, Case::Optimizer];
        let of_networks = kinds.into_iter().flat_map(|kind| Network::ALL.map(kind));
        of_networks.chain([Case::Loader]).collect()
    }

    fn from_name(name: &str) -> Option<Case> {
        if let Some(batch) = name.strip_prefix("cnn_accumulate_") {
            return batch.parse().ok().map(Case::Accumulate);
        }
        let rules = Rule::ALL.into_iter().map(Case::OptimizerStep);
        Case::compared()
            .into_iter()
            .chain(rules)
            .find(|case| case.to_string() == name)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Case::Step(network) => write!(f, "{}_step", network.name()),
            Case::Infer(network) => write!(f, "{}_infer", network.name()),
            Case::Optimizer(network) => write!(f, "{}_optimizer", network.name()),
            Case::OptimizerStep(rule) => write!(f, "optimizer_step_{}", rule.name()),
            Case::Loader => f.write_str("loader"),
            Case::Accumulate(batch) => write!(f, "cnn_accumulate_{batch}"),
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Case::from_name(name).ok_or_else(|| format!("no case is called `{name}`"))
    }
}
