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
    /// Whether the last step was none.
    stalled: bool,
}

impl Newton {
    /// That of `recipe`, if it is of this rule.
    pub(super) fn new(recipe: &Recipe) -> Option<Newton> {
        let rule = recipe.rules.first()?;
        match rule.update {
            Update::NewtonCg {
                products,
                damping,
                curvature,
            } => Some(Newton {
                rule: NewtonCg::new().products(products).curvature(curvature),
                lr: rule.lr,
                damping,
                stalled: false,
            }),
            _ => None,
        }
    }

    /// What it remembers from step to step: the damping, and whether it stands still.
    pub(super) fn state(&self) -> (f64, bool) {
        (self.damping, self.stalled)
    }

    pub(super) fn resume(&mut self, (damping, stalled): (f64, bool)) {
        (self.damping, self.stalled) = (damping, stalled);
    }

    /// One step from `model`, over the batches of its first `pass`; the same model where none brings
    /// the loss down, and whether that is news.
    pub(super) fn step<M: Model>(
        &mut self,
        lr: f64,
        model: &M,
        pass: Pass<M>,
    ) -> Result<(M, bool), FlatnessError> {
        let objective = Objective::of_step(model, pass.batches)?;
        let (loss, gradient) = objective.loss_and_gradient()?;
        let (damping, first) = (self.damping, self.lr * lr);
        let next = self
            .rule
            .iterate(&objective, (loss, &gradient), damping, first)?;
        self.damping = next.damping;
        let before = std::mem::replace(&mut self.stalled, next.objective.is_none());
        match next.objective {
            Some(there) => Ok((there.write(model)?.train(), false)),
            None => Ok((model.clone(), !before)),
        }
    }
}
