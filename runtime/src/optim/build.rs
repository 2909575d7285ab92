//! From a rule to the optimizer that takes its steps: Burn's where it has the rule.

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdafactorConfig, AdamConfig, AdamWConfig, AdanConfig, LambConfig, LearningRate,
    LionConfig, ModuleOptimizer, Optimizer, RmsPropConfig, SgdConfig,
};
use burn::tensor::{Device, Tensor};

use super::lars::Lars;
use super::muon::Muon;
#[cfg(any(feature = "flex", feature = "ndarray"))]
use super::one_pass;
use super::rmsprop::CenteredRmsProp;
use super::{OptimizerError, Update};

impl Update {
    /// Burn's optimizer for all parameters, or `to` with this rule for the parameters of a group.
    /// Its learning rate is `lr` times that of the step. A rule that evaluates the loss is refused.
    pub(super) fn build(
        &self,
        lr: f64,
        to: Option<(ModuleOptimizer, ParamGroup)>,
    ) -> Result<ModuleOptimizer, OptimizerError> {
        let l2 = |penalty: f64| (penalty != 0.0).then(|| WeightDecayConfig::new(penalty as f32));
        Ok(match *self {
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
                amsgrad,
            } => {
                let adam = AdamConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(l2(weight_decay))
                    .with_amsgrad(amsgrad)
                    .build();
                #[cfg(any(feature = "flex", feature = "ndarray"))]
                let adam = one_pass::Adam {
                    burns: one_pass::Adaptive::Adam(adam),
                    beta_1: beta_1 as f32,
                    beta_2: beta_2 as f32,
                    epsilon: epsilon as f32,
                    weight_decay: weight_decay as f32,
                    amsgrad,
                };
                add(to, AtRate { lr, rule: adam })
            }
            Update::AdamW {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
                amsgrad,
            } => {
                let adamw = AdamWConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(weight_decay as f32)
                    .with_amsgrad(amsgrad)
                    .build();
                #[cfg(any(feature = "flex", feature = "ndarray"))]
                let adamw = one_pass::Adam {
                    burns: one_pass::Adaptive::AdamW(adamw),
                    beta_1: beta_1 as f32,
                    beta_2: beta_2 as f32,
                    epsilon: epsilon as f32,
                    weight_decay: weight_decay as f32,
                    amsgrad,
                };
                add(to, AtRate { lr, rule: adamw })
            }
            Update::AdaGrad {
                lr_decay,
                epsilon,
                weight_decay,
            } => {
                let rule = AdaGradConfig::new()
                    .with_lr_decay(lr_decay)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(l2(weight_decay))
                    .build();
                add(to, AtRate { lr, rule })
            }
            Update::RmsProp {
                alpha,
                momentum,
                centered: false,
                epsilon,
                weight_decay,
            } => {
                let rule = RmsPropConfig::new()
                    .with_alpha(alpha as f32)
                    .with_momentum(momentum as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(l2(weight_decay))
                    .build();
                add(to, AtRate { lr, rule })
            }
            Update::RmsProp {
                alpha,
                momentum,
                centered: true,
                epsilon,
                weight_decay,
            } => {
                let rule = CenteredRmsProp {
                    alpha,
                    momentum,
                    epsilon,
                    weight_decay,
                };
                add(to, AtRate { lr, rule })
            }
            Update::Adafactor {
                decay_rate,
                clip_threshold,
                relative_step,
                scale_parameter,
                epsilon_1,
                epsilon_2,
                weight_decay,
            } => {
                // It panics on numbers that are out of their range, which none is.
                let rule = AdafactorConfig::new()
                    .with_decay_rate(decay_rate)
                    .with_clip_threshold(clip_threshold as f32)
                    .with_relative_step(relative_step)
                    .with_scale_parameter(scale_parameter)
                    .with_epsilon_1(epsilon_1 as f32)
                    .with_epsilon_2(epsilon_2 as f32)
                    .with_weight_decay(weight_decay as f32)
                    .build();
                add(to, AtRate { lr, rule })
            }
            Update::Adan {
                beta_1,
                beta_2,
                beta_3,
                epsilon,
                weight_decay,
            } => {
                let rule = AdanConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_beta_3(beta_3 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(weight_decay as f32)
                    .build();
                add(to, AtRate { lr, rule })
            }
            Update::Lamb {
                beta_1,
                beta_2,
                epsilon,
                weight_decay,
            } => {
                let rule = LambConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_epsilon(epsilon as f32)
                    .with_weight_decay(weight_decay as f32)
                    .build();
                add(to, AtRate { lr, rule })
            }
            Update::Lion {
                beta_1,
                beta_2,
                weight_decay,
            } => {
                let rule = LionConfig::new()
                    .with_beta_1(beta_1 as f32)
                    .with_beta_2(beta_2 as f32)
                    .with_weight_decay(weight_decay as f32)
                    .build();
                add(to, AtRate { lr, rule })
            }
            Update::Muon {
                momentum,
                nesterov,
                weight_decay,
                steps,
                adjust_lr,
            } => {
                let rule = Muon::new(momentum, nesterov, weight_decay, steps, adjust_lr);
                add(to, AtRate { lr, rule })
            }
            Update::Lars {
                momentum,
                nesterov,
                weight_decay,
                trust_coefficient,
                clip,
            } => {
                let rule = Lars {
                    momentum: momentum as f32,
                    nesterov,
                    weight_decay: weight_decay as f32,
                    trust_coefficient: trust_coefficient as f32,
                    clip,
                };
                add(to, AtRate { lr, rule })
            }
            Update::Sign {
                momentum,
                weight_decay,
            } => {
                let rule = LionConfig::new()
                    .with_beta_1(momentum as f32)
                    .with_beta_2(momentum as f32)
                    .with_weight_decay(weight_decay as f32)
                    .build();
                add(to, AtRate { lr, rule })
            }
            // The gradients that arrive are directions already, see `steepest`.
            Update::Steepest { .. } => {
                let rule = SgdConfig::new().build();
                add(to, AtRate { lr, rule })
            }
            Update::NewtonCg { .. } => {
                return Err(OptimizerError::NeedsProducts {
                    statement: format!("update {self}"),
                });
            }
            Update::Lbfgs { .. } => {
                return Err(OptimizerError::NeedsLoss {
                    statement: format!("update {self}"),
                });
            }
        })
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
