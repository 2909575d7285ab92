//! The update rules: each is Burn's optimizer, with its numbers checked.

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, LearningRate, ModuleOptimizer, Optimizer, SgdConfig};
use burn::tensor::{Device, Tensor};

use super::choice::choices;
#[cfg(any(feature = "flex", feature = "ndarray"))]
use super::one_pass;

choices! {
    /// An update rule. `g` is the gradient of a parameter `w`, `γ` the learning rate.
    pub enum Update {
        /// Stochastic gradient descent:
        /// `d = g + weight_decay·w`, `v ← momentum·v + d`, `w ← w - γv`, and with `nesterov`
        /// `w ← w - γ(d + momentum·v)`. The first step sets `v = d`, as in PyTorch.
        Sgd = SGD {
            /// In [0, 1).
            momentum: f64,
            /// Whether the momentum is Nesterov's.
            nesterov: bool,
            /// At least 0; added to the gradient.
            weight_decay: f64,
        }
        /// Adam ([Kingma and Ba 2015](https://arxiv.org/abs/1412.6980)):
        /// `d = g + weight_decay·w`, `m ← β₁m + (1 - β₁)d`, `v ← β₂v + (1 - β₂)d²`,
        /// `w ← w - γ m̂ / (√v̂ + ε)` with the bias-corrected `m̂ = m/(1 - β₁ᵗ)`, `v̂ = v/(1 - β₂ᵗ)`.
        Adam = ADAM {
            /// In [0, 1).
            beta_1: f64,
            /// In [0, 1).
            beta_2: f64,
            /// Above 0.
            epsilon: f64,
            /// At least 0; added to the gradient.
            weight_decay: f64,
        }
        /// AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)): Adam with the
        /// decay beside the gradient, `w ← (1 - γ·weight_decay)w - γ m̂ / (√v̂ + ε)`.
        AdamW = ADAMW {
            /// In [0, 1).
            beta_1: f64,
            /// In [0, 1).
            beta_2: f64,
            /// Above 0.
            epsilon: f64,
            /// At least 0; shrinks the parameter itself.
            weight_decay: f64,
        }
    }
}

impl Update {
    /// Burn's optimizer for all parameters, or `to` with this rule for the parameters of a group.
    /// Its learning rate is `lr` times that of the step.
    pub(super) fn build(
        &self,
        lr: f64,
        to: Option<(ModuleOptimizer, ParamGroup)>,
    ) -> ModuleOptimizer {
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
                add(to, AtRate { lr, rule: sgd })
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
                add(to, AtRate { lr, rule: adam })
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
                add(to, AtRate { lr, rule: adamw })
            }
        }
    }
}

fn add(to: Option<(ModuleOptimizer, ParamGroup)>, optimizer: impl Optimizer) -> ModuleOptimizer {
    match to {
        None => ModuleOptimizer::from(optimizer),
        Some((all, group)) => all.with_group(group, optimizer, None),
    }
}

/// A rule whose learning rate is `lr` times that of the step.
#[derive(Clone)]
struct AtRate<O> {
    lr: f64,
    rule: O,
}

impl<O: Optimizer> Optimizer for AtRate<O> {
    type State<const D: usize> = O::State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<O::State<D>>,
    ) -> (Tensor<D>, Option<O::State<D>>) {
        self.rule.step(self.lr * lr, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: O::State<D>, device: &Device) -> O::State<D> {
        O::to_device(state, device)
    }
}
