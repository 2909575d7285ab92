//! Steepest descent: the gradients of a rule, as one vector, become the step of norm 1 along which
//! the loss falls fastest (Boyd and Vandenberghe 2004, section 9.4).

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor};

use super::clip::{in_single, sum_of_squares};
use super::target::{self, Parameter};
use super::{Norm, Rule, Update};

/// Whether `rule` is one of steepest descent.
pub(super) fn is(rule: &Rule) -> bool {
    matches!(rule.update, Update::Steepest { .. })
}

/// The steepest descent that moves a parameter.
#[derive(Clone, Copy)]
pub(super) struct Descent {
    /// The place of its rule.
    rule: usize,
    norm: Norm,
    normalized: bool,
}

/// The steepest descent of each parameter, in the order of the model.
pub(super) fn descents(parameters: &[Parameter], rules: &[Rule]) -> Vec<Option<Descent>> {
    let descents = parameters.iter().map(|parameter| {
        let rule = target::winner(rules, parameter)?;
        match rules[rule].update {
            Update::Steepest { norm, normalized } => Some(Descent {
                rule,
                norm,
                normalized,
            }),
            _ => None,
        }
    });
    descents.collect()
}

/// `grads`, with those that a rule of steepest descent moves as its directions. Nothing is read
/// back from the device.
pub(super) fn directions<M: Module>(
    model: &M,
    grads: GradientsParams,
    descents: &[Option<Descent>],
) -> GradientsParams {
    if descents.iter().all(Option::is_none) {
        return grads;
    }
    let mut measuring = Measuring {
        descents: descents.iter(),
        parts: HashMap::new(),
        grads: &grads,
    };
    model.visit(&mut measuring);
    let vectors = measuring.parts.into_iter().map(|(rule, parts)| {
        let (ids, parts): (Vec<ParamId>, Vec<Tensor<1>>) = parts.into_iter().unzip();
        let parts = Tensor::cat(parts, 0);
        (rule, Vector { parts, ids })
    });
    let mut turning = Turning {
        descents: descents.iter(),
        vectors: vectors.collect(),
        grads: &grads,
        turned: GradientsParams::new(),
    };
    model.visit(&mut turning);
    turning.turned
}

/// Collects of each parameter of a rule a tensor of shape `[1]`.
struct Measuring<'a> {
    descents: std::slice::Iter<'a, Option<Descent>>,
    parts: HashMap<usize, Vec<(ParamId, Tensor<1>)>>,
    grads: &'a GradientsParams,
}

impl ModuleVisitor for Measuring<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let descent = self.descents.next().copied().flatten();
        let (Some(descent), Some(grad)) = (descent, self.grads.get::<D>(param.id)) else {
            return;
        };
        let part = match descent.norm {
            Norm::L1 => in_single(grad).abs().max(),
            Norm::L2 => sum_of_squares(grad),
            Norm::Linf => in_single(grad).abs().sum(),
        };
        let parts = self.parts.entry(descent.rule).or_default();
        let part = match parts.first() {
            Some((_, first)) => part.to_device(&first.device()).cast(first.dtype()),
            None => part,
        };
        parts.push((param.id, part));
    }
}

/// What is known of the whole vector of a rule, one number a parameter.
struct Vector {
    parts: Tensor<1>,
    ids: Vec<ParamId>,
}

struct Turning<'a> {
    descents: std::slice::Iter<'a, Option<Descent>>,
    vectors: HashMap<usize, Vector>,
    grads: &'a GradientsParams,
    turned: GradientsParams,
}

impl ModuleVisitor for Turning<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let descent = self.descents.next().copied().flatten();
        let Some(grad) = self.grads.get::<D>(param.id) else {
            return;
        };
        let vector = descent.and_then(|descent| Some((descent, self.vectors.get(&descent.rule)?)));
        let turned = match vector {
            Some((descent, vector)) => vector.direction(param.id, grad, descent),
            None => grad,
        };
        self.turned.register(param.id, turned);
    }
}

impl Vector {
    /// The part of the direction that is that of the parameter `id`.
    fn direction<const D: usize>(
        &self,
        id: ParamId,
        grad: Tensor<D>,
        Descent {
            norm, normalized, ..
        }: Descent,
    ) -> Tensor<D> {
        let here = |number: Tensor<1>| -> Tensor<D> {
            let number = number.to_device(&grad.device()).cast(grad.dtype());
            number.reshape([1; D])
        };
        let parts = self.parts.clone();
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
