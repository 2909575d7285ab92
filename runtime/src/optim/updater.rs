//! The optimizer at work: clips the gradients and moves the parameters of one model.

use std::fmt;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, OptimizerRecord};

use super::{Clip, OptimizerError, Recipe, clip_global_norm, steepest};

/// A [`Recipe`] with its state: momenta and step counts, one set a parameter.
#[derive(Clone)]
pub struct Updater {
    recipe: Recipe,
    rules: ModuleOptimizer,
}

impl Updater {
    pub(super) fn new(recipe: Recipe, rules: ModuleOptimizer) -> Self {
        Updater { recipe, rules }
    }

    /// What this optimizer does.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// One step with the learning rate `lr`: clips `grads`, then moves each parameter of `model`
    /// that has one.
    ///
    /// Nothing is read back from a GPU. On the processor each parameter is changed in place,
    /// unless somebody else holds a clone of it. A parameter without a gradient stays as it is.
    pub fn step<M: Module>(&mut self, lr: f64, model: M, grads: GradientsParams) -> M {
        let grads = match self.recipe.clip {
            Some(Clip::GlobalNorm { max_norm }) => clip_global_norm(&model, grads, max_norm),
            None => grads,
        };
        let grads = steepest::directions(&model, grads, &self.recipe.rules);
        self.rules.step(lr, model, grads)
    }

    /// The state, for a checkpoint.
    pub fn to_record(&self) -> OptimizerRecord {
        self.rules.to_record()
    }

    /// Goes on from the state in `record`.
    ///
    /// State belongs to parameters by their identity, which Burn saves with the model and restores
    /// when the model's record is loaded. Load both, in either order.
    ///
    /// # Errors
    ///
    /// [`OptimizerError::Record`] where the record was written by an optimizer of another kind.
    pub fn load_record(self, record: OptimizerRecord) -> Result<Self, OptimizerError> {
        let found = record.len();
        let rules = self.rules.load_record(record);
        let used = rules.to_record().len();
        if used != found {
            let recipe = self.recipe.to_string().replace('\n', " ");
            return Err(OptimizerError::Record {
                found,
                used,
                recipe,
            });
        }
        Ok(Updater {
            recipe: self.recipe,
            rules,
        })
    }
}

impl fmt::Debug for Updater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updater")
            .field("recipe", &self.recipe)
            .finish_non_exhaustive()
    }
}
