//! What a declaration says, as plain data: rules and clipping.

use std::fmt;

use burn::module::{Module, ParamGroup};
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use super::target::{self, Target};
use super::update::{Range, Update};
use super::{OptimizerError, Updater};

/// An optimizer declaration with every number filled in.
///
/// `Display` writes it in the language of [`optimizer!`](crate::optimizer), one statement a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The update rules. The first holds for all parameters; the last that matches wins.
    pub rules: Vec<Rule>,
    /// How gradients are clipped before the update.
    pub clip: Option<Clip>,
}

/// `update sgd(..) for bias, norm;`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The rule.
    pub update: Update,
    /// The parameters that it moves; empty means all.
    pub targets: Vec<Target>,
}

/// `clip ..;`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Clip {
    /// [`clip_global_norm`](super::clip_global_norm) with this bound.
    GlobalNorm {
        /// The largest norm that is left as it is.
        max_norm: f64,
    },
}

impl Recipe {
    /// Whether every number is in its range, and the rules are in an order in which each can win.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), OptimizerError> {
        match self.rules.first() {
            Some(rule) if rule.targets.is_empty() => {}
            Some(rule) => {
                return Err(OptimizerError::NoDefault {
                    found: format!("`{rule}`"),
                });
            }
            None => {
                return Err(OptimizerError::NoDefault {
                    found: "no rule".into(),
                });
            }
        }
        for (i, rule) in self.rules.iter().enumerate() {
            if i > 0 && rule.targets.is_empty() {
                return Err(OptimizerError::Hides {
                    number: i + 1,
                    statement: rule.to_string(),
                });
            }
            rule.update.check(rule)?;
        }
        if let Some(clip @ Clip::GlobalNorm { max_norm }) = self.clip {
            Range::Positive.check("max_norm", max_norm, &clip)?;
        }
        Ok(())
    }

    /// As [`Optimizer::init`](super::Optimizer::init).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn init<M: Module>(&self, model: &M) -> Result<Updater, OptimizerError> {
        Ok(Updater::new(self.clone(), self.rules_for(model)?))
    }

    /// As [`Optimizer::module_optimizer`](super::Optimizer::module_optimizer).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn module_optimizer<M: Module>(
        &self,
        model: &M,
    ) -> Result<ModuleOptimizer, OptimizerError> {
        if let Some(clip) = &self.clip {
            return Err(OptimizerError::NotInBurn {
                statement: clip.to_string(),
            });
        }
        self.rules_for(model)
    }

    /// One group of Burn's a rule. Groups go by path rather than by identity: loading a record
    /// into the model gives its parameters the identities that they had when it was saved.
    fn rules_for<M: Module>(&self, model: &M) -> Result<ModuleOptimizer, OptimizerError> {
        self.check()?;
        let parameters = target::parameters(model);
        target::refuse_tied(&parameters)?;
        let mut optimizer = self.rules[0].update.to_optimizer();
        for rule in &self.rules[1..] {
            for target in &rule.targets {
                if let Target::Path(pattern) = target
                    && !parameters.iter().any(|parameter| target.matches(parameter))
                {
                    return Err(OptimizerError::Unmatched {
                        pattern: pattern.clone(),
                        statement: rule.to_string(),
                        paths: target::listed(&parameters),
                    });
                }
            }
            let matched = parameters
                .iter()
                .filter(|parameter| rule.targets.iter().any(|target| target.matches(parameter)));
            let paths: Vec<String> = matched.map(|parameter| parameter.path.clone()).collect();
            optimizer = rule
                .update
                .for_group(optimizer, ParamGroup::from_paths(paths));
        }
        Ok(optimizer)
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rule) in self.rules.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}{rule};")?;
        }
        match &self.clip {
            Some(clip) => write!(f, "\n{clip};"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update {}", self.update)?;
        for (i, target) in self.targets.iter().enumerate() {
            write!(f, "{}{target}", if i == 0 { " for " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clip::GlobalNorm { max_norm } => write!(f, "clip global_norm({max_norm})"),
        }
    }
}
