//! Steepest descent: the gradients of a rule, as one vector, become the step of norm 1 along which
//! the loss falls fastest (Boyd and Vandenberghe 2004, section 9.4).

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};

use super::clip::{in_single, sum_of_squares};
use super::{Norm, Rule, Update, target};

/// Whether `rule` is one of steepest descent.
pub(super) fn is(rule: &Rule) -> bool {
    matches!(rule.update, Update::Steepest { .. })
}

/// `grads`, with those that a rule of steepest descent moves as its directions. Nothing is read
/// back from the device.
pub(super) fn directions<M: Module>(
    model: &M,
    grads: GradientsParams,
    rules: &[Rule],
) -> GradientsParams {
    if !rules.iter().any(is) {
        return grads;
    }
    let parameters = target::parameters(model);
    let rule_of = parameters.iter().filter_map(|parameter| {
        let at = target::winner(rules, parameter)?;
        match rules[at].update {
            Update::Steepest { norm, normalized } => Some((parameter.id, (at, norm, normalized))),
            _ => None,
        }
    });
    let mut turn = Turn {
        rule_of: rule_of.collect(),
        vectors: HashMap::new(),
        measured: false,
        grads,
        turned: GradientsParams::new(),
    };
    model.visit(&mut turn);
    turn.measured = true;
    model.visit(&mut turn);
    turn.turned
}

/// What is known of the whole vector of a rule: of each of its parameters, in order, a tensor of
/// shape `[1]`.
#[derive(Default)]
struct Vector {
    parts: Vec<Tensor<1>>,
    ids: Vec<ParamId>,
}

struct Turn {
    rule_of: HashMap<ParamId, (usize, Norm, bool)>,
    vectors: HashMap<usize, Vector>,
    /// Whether the vectors are measured, and the gradients are to be turned.
    measured: bool,
    grads: GradientsParams,
    turned: GradientsParams,
}

impl ModuleVisitor for Turn {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.get::<D>(param.id) else {
            return;
        };
        let Some((rule, norm, normalized)) = self.rule_of.get(&param.id).copied() else {
            if self.measured {
                self.turned.register(param.id, grad);
            }
            return;
        };
        let vector = self.vectors.entry(rule).or_default();
        if self.measured {
            let direction = vector.direction(param.id, grad, norm, normalized);
            self.turned.register(param.id, direction);
        } else if !vector.ids.contains(&param.id) {
            vector.ids.push(param.id);
            let part = match norm {
                Norm::L1 => in_single(grad).abs().max(),
                Norm::L2 => sum_of_squares(grad),
                Norm::Linf => in_single(grad).abs().sum(),
            };
            vector.parts.push(match vector.parts.first() {
                Some(first) => part.to_device(&first.device()).cast(first.dtype()),
                None => part,
            });
        }
    }
}

impl Vector {
    /// The part of the direction that is that of the parameter `id`.
    fn direction<const D: usize>(
        &self,
        id: ParamId,
        grad: Tensor<D>,
        norm: Norm,
        normalized: bool,
    ) -> Tensor<D> {
        let here = |number: Tensor<1>| -> Tensor<D> {
            let number = number.to_device(&grad.device()).cast(grad.dtype());
            number.reshape([1; D])
        };
        let parts = Tensor::cat(self.parts.clone(), 0);
        match (norm, normalized) {
            (Norm::L2, false) => grad,
            (Norm::L2, true) => {
                let norm = parts.sum().sqrt();
                let nothing = norm.clone().equal_scalar(0.0);
                let scale = norm.recip().mask_fill(nothing, 0.0);
                let scale = here(scale);
                grad * scale
            }
            (Norm::Linf, true) => grad.sign(),
            (Norm::Linf, false) => {
                let dual = here(parts.sum());
                grad.sign() * dual
            }
            (Norm::L1, _) => {
                let largest = parts.clone().max();
                // The first parameter that has it, and there the first coordinate.
                let first = first(parts.equal(largest.clone()));
                let own = self
                    .ids
                    .iter()
                    .position(|own| *own == id)
                    .unwrap_or_default();
                let own = first.equal_scalar(own as i64).float();
                let flat = grad.clone().flatten::<1>(0, D - 1);
                let largest = largest.to_device(&grad.device()).cast(grad.dtype());
                let at = self::first(flat.clone().abs().equal(largest));
                let places = Tensor::<1, Int>::arange(0..flat.dims()[0] as i64, &grad.device());
                let there = places.equal(at).float().cast(grad.dtype());
                let there = there.reshape(grad.dims()) * here(own);
                let direction = if normalized { grad.sign() } else { grad };
                direction * there
            }
        }
    }
}

/// The first place at which `holds` is true, or its length.
fn first(holds: Tensor<1, burn::tensor::Bool>) -> Tensor<1, Int> {
    let length = holds.dims()[0] as i64;
    let places = Tensor::<1, Int>::arange(0..length, &holds.device());
    places.mask_fill(holds.bool_not(), length).min()
}
