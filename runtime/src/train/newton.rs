//! The step of `update newton_cg`, on the batches of a training step.

use super::step::Pass;
use crate::flatness::{FlatnessError, NewtonCg, Objective};
use crate::model::Model;
use crate::optim::{Recipe, Update};

/// Newton's method at work.
pub(super) struct Newton {
    rule: NewtonCg,
    /// The learning rate of the rule, as a multiple of the step's.
    lr: f64,
    damping: f64,
}

impl Newton {
    /// That of `recipe`, if it is of this rule.
    pub(super) fn new(recipe: &Recipe) -> Option<Newton> {
        let rule = recipe.rules.first()?;
        match rule.update {
            Update::NewtonCg {
                max_iter,
                damping,
                curvature,
            } => Some(Newton {
                rule: NewtonCg::new().products(max_iter).curvature(curvature),
                lr: rule.lr,
                damping,
            }),
            _ => None,
        }
    }

    /// One step from `model`, over the batches of its first `pass`.
    pub(super) fn step<M: Model>(
        &mut self,
        lr: f64,
        model: &M,
        pass: Pass<M>,
    ) -> Result<M, FlatnessError> {
        let objective = Objective::of_step(model, pass.batches)?;
        let (loss, gradient) = objective.loss_and_gradient()?;
        let (damping, first) = (self.damping, self.lr * lr);
        match self
            .rule
            .iterate(&objective, (loss, &gradient), damping, first)?
        {
            Some(next) => {
                self.damping = next.damping;
                Ok(next.objective.write(model)?.train())
            }
            // Closer to steepest descent the next time.
            None => {
                self.damping *= 1.5;
                Ok(model.clone())
            }
        }
    }
}
