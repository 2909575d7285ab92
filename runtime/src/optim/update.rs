//! The update rules: each is Burn's optimizer, with its numbers checked.

use std::fmt;

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

#[cfg(any(feature = "flex", feature = "ndarray"))]
use super::one_pass;
use super::{OptimizerError, Rule};

/// An update rule. `g` is the gradient of a parameter `w`, `γ` the learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Update {
    /// Stochastic gradient descent:
    /// `d = g + weight_decay·w`, `v ← momentum·v + d`, `w ← w - γv`, and with `nesterov`
    /// `w ← w - γ(d + momentum·v)`. The first step sets `v = d`, as in PyTorch.
    Sgd {
        /// In [0, 1).
        momentum: f64,
        /// Whether the momentum is Nesterov's.
        nesterov: bool,
        /// At least 0; added to the gradient.
        weight_decay: f64,
    },
    /// Adam ([Kingma and Ba 2015](https://arxiv.org/abs/1412.6980)):
    /// `d = g + weight_decay·w`, `m ← β₁m + (1 - β₁)d`, `v ← β₂v + (1 - β₂)d²`,
    /// `w ← w - γ m̂ / (√v̂ + ε)` with the bias-corrected `m̂ = m/(1 - β₁ᵗ)`, `v̂ = v/(1 - β₂ᵗ)`.
    Adam {
        /// In [0, 1).
        beta_1: f64,
        /// In [0, 1).
        beta_2: f64,
        /// Above 0.
        epsilon: f64,
        /// At least 0; added to the gradient.
        weight_decay: f64,
    },
    /// AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)): Adam with the
    /// decay beside the gradient, `w ← (1 - γ·weight_decay)w - γ m̂ / (√v̂ + ε)`.
    AdamW {
        /// In [0, 1).
        beta_1: f64,
        /// In [0, 1).
        beta_2: f64,
        /// Above 0.
        epsilon: f64,
        /// At least 0; shrinks the parameter itself.
        weight_decay: f64,
    },
}

/// The range of a number. Burn keeps these numbers in single precision, so they are looked at
/// there: 0.999999999 would be a momentum of 1, and 1e-50 an epsilon of 0.
#[derive(Clone, Copy)]
pub(super) enum Range {
    /// `[0, 1)`
    Fraction,
    /// `(0, ∞)`
    Positive,
    /// `[0, ∞)`
    NonNegative,
}

impl Range {
    pub(super) fn check(
        self,
        parameter: &'static str,
        found: f64,
        statement: &dyn fmt::Display,
    ) -> Result<(), OptimizerError> {
        let single = found as f32;
        let (fits, expected) = match self {
            Range::Fraction => ((0.0..1.0).contains(&single), "at least 0 and below 1"),
            Range::Positive => (single > 0.0, "above 0 and finite"),
            Range::NonNegative => (single >= 0.0, "at least 0 and finite"),
        };
        if fits && single.is_finite() {
            return Ok(());
        }
        let statement = statement.to_string();
        Err(OptimizerError::Range {
            statement,
            parameter,
            expected,
            found,
        })
    }
}

impl Update {
    /// Whether every number is in its range; `rule` is the one that this is the update of.
    pub(super) fn check(&self, rule: &Rule) -> Result<(), OptimizerError> {
        match *self {
            Update::Sgd {
                momentum,
                nesterov,
                weight_decay,
            } => {
                Range::Fraction.check("momentum", momentum, rule)?;
                Range::NonNegative.check("weight_decay", weight_decay, rule)?;
                if nesterov && momentum == 0.0 {
                    let statement = rule.to_string();
                    return Err(OptimizerError::NesterovWithoutMomentum { statement });
                }
            }
            Update::Adam {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
            }
            | Update::AdamW {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
            } => {
                Range::Fraction.check("beta_1", beta_1, rule)?;
                Range::Fraction.check("beta_2", beta_2, rule)?;
                Range::Positive.check("epsilon", epsilon, rule)?;
                Range::NonNegative.check("weight_decay", weight_decay, rule)?;
            }
        }
        Ok(())
    }

    /// Burn's optimizer, for all parameters.
    pub(super) fn to_optimizer(&self) -> ModuleOptimizer {
        self.build(None)
    }

    /// `optimizer`, with this rule for the parameters of `group`.
    pub(super) fn for_group(
        &self,
        optimizer: ModuleOptimizer,
        group: ParamGroup,
    ) -> ModuleOptimizer {
        self.build(Some((optimizer, group)))
    }

    fn build(&self, to: Option<(ModuleOptimizer, ParamGroup)>) -> ModuleOptimizer {
        let l2 = |penalty: f64| (penalty != 0.0).then(|| WeightDecayConfig::new(penalty as f32));
        match *self {
            Update::Sgd {
                momentum,
                nesterov,
                weight_decay,
            } => {
                let config = (momentum != 0.0).then(|| {
                    // Burn's default of 0.1 for the dampening is nobody else's.
                    MomentumConfig::new()
                        .with_momentum(momentum)
                        .with_dampening(0.0)
                        .with_nesterov(nesterov)
                });
                let sgd = SgdConfig::new()
                    .with_momentum(config)
                    .with_weight_decay(l2(weight_decay))
                    .build();
                #[cfg(any(feature = "flex", feature = "ndarray"))]
                let sgd = one_pass::Sgd {
                    burns: sgd,
                    momentum: momentum as f32,
                    nesterov,
                    weight_decay: weight_decay as f32,
                };
                add(to, sgd)
            }
            Update::Adam {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
            } => {
                let adam = AdamConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(l2(weight_decay))
                    .build();
                #[cfg(any(feature = "flex", feature = "ndarray"))]
                let adam = one_pass::Adam {
                    burns: one_pass::Adaptive::Adam(adam),
                    beta_1: beta_1 as f32,
                    beta_2: beta_2 as f32,
                    epsilon: epsilon as f32,
                    weight_decay: weight_decay as f32,
                };
                add(to, adam)
            }
            Update::AdamW {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
            } => {
                let adamw = AdamWConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(weight_decay as f32)
                    .build();
                #[cfg(any(feature = "flex", feature = "ndarray"))]
                let adamw = one_pass::Adam {
                    burns: one_pass::Adaptive::AdamW(adamw),
                    beta_1: beta_1 as f32,
                    beta_2: beta_2 as f32,
                    epsilon: epsilon as f32,
                    weight_decay: weight_decay as f32,
                };
                add(to, adamw)
            }
        }
    }
}

fn add(
    to: Option<(ModuleOptimizer, ParamGroup)>,
    optimizer: impl burn::optim::Optimizer,
) -> ModuleOptimizer {
    match to {
        None => ModuleOptimizer::from(optimizer),
        Some((all, group)) => all.with_group(group, optimizer, None),
    }
}

impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Update::Sgd {
                momentum,
                nesterov,
                weight_decay,
            } => write!(
                f,
                "sgd(momentum: {momentum}, nesterov: {nesterov}, weight_decay: {weight_decay})",
            ),
            Update::Adam {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
            } => write!(
                f,
                "adam(beta_1: {beta_1}, beta_2: {beta_2}, epsilon: {epsilon:?}, \
                 weight_decay: {weight_decay})",
            ),
            Update::AdamW {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
            } => write!(
                f,
                "adamw(beta_1: {beta_1}, beta_2: {beta_2}, epsilon: {epsilon:?}, \
                 weight_decay: {weight_decay})",
            ),
        }
    }
}
