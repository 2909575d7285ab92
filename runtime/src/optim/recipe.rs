//! What a declaration says, as plain data.

use std::fmt;

use burn::module::{Module, ParamGroup};
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use super::target::{self, Parameter, Target};
use super::update::Update;
use super::{Average, Clip, Noise, OptimizerError, Sharpness, Updater, choice, shared, steepest};
use crate::schedule::Time;

/// An optimizer declaration with every number filled in.
///
/// `Display` writes it in the language of [`optimizer!`](crate::optimizer), one statement a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The update rules. The first holds for all parameters; the last that matches wins.
    pub rules: Vec<Rule>,
    /// How gradients are clipped before the update.
    #[serde(default)]
    pub clip: Option<Clip>,
    /// What is added to the gradients, after clipping.
    #[serde(default)]
    pub noise: Option<Noise>,
    /// Whether, and how, the gradient is taken at the worst point near by.
    #[serde(default)]
    pub sharpness: Option<Sharpness>,
    /// Averages of the weights: at most one lookahead, and one other.
    #[serde(default)]
    pub average: Vec<Average>,
    /// The rules that hold from a moment on, in the order of the moments; those of one moment
    /// stand in place of all rules before it.
    #[serde(default)]
    pub switches: Vec<Switch>,
}

/// `update sgd(..) for bias, norm;`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The rule.
    pub update: Update,
    /// Its learning rate, as a multiple of the step's.
    #[serde(default = "one")]
    pub lr: f64,
    /// The parameters that it moves; empty means all.
    pub targets: Vec<Target>,
}

/// `switch at 80 % to sgd(..) for bias, norm;`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The moment.
    pub at: Time,
    /// The rule from then on.
    pub rule: Rule,
}

impl Recipe {
    /// These rules and nothing else.
    pub fn new(rules: Vec<Rule>) -> Self {
        Recipe {
            rules,
            clip: None,
            noise: None,
            sharpness: None,
            average: Vec::new(),
            switches: Vec::new(),
        }
    }

    /// Whether every number is in its range, and the rules are in an order in which each can win.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), OptimizerError> {
        check_rules(&self.rules.iter().collect::<Vec<_>>())?;
        if let Some(clip) = &self.clip {
            choice::check(clip, &format!("clip {clip}"))?;
        }
        if let Some(noise) = &self.noise {
            choice::check(noise, &format!("noise {noise}"))?;
        }
        if let Some(sharpness) = &self.sharpness {
            choice::check(sharpness, &format!("sharpness {sharpness}"))?;
        }
        for average in &self.average {
            choice::check(average, &format!("average {average}"))?;
        }
        for switch in &self.switches {
            let statement = switch.to_string();
            let refused = |problem| OptimizerError::Time { statement, problem };
            switch.at.check("at").map_err(refused)?;
            switch.rule.check(&switch.to_string())?;
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
                statement: format!("clip {clip}"),
            });
        }
        if let Some(rule) = self.rules.iter().find(|rule| steepest::is(rule)) {
            return Err(OptimizerError::NotInBurn {
                statement: rule.to_string(),
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
        refuse_other_ranks(&self.rules, &parameters)?;
        let first = &self.rules[0];
        let mut optimizer = first.update.build(first.lr, None);
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
            let group = ParamGroup::from_paths(paths);
            optimizer = rule.update.build(rule.lr, Some((optimizer, group)));
        }
        Ok(optimizer)
    }
}

/// Muon is a rule for matrices.
fn refuse_other_ranks(rules: &[Rule], parameters: &[Parameter]) -> Result<(), OptimizerError> {
    for (at, rule) in rules.iter().enumerate() {
        if !matches!(rule.update, Update::Muon { .. }) {
            continue;
        }
        let moved = |parameter: &&Parameter| {
            parameter.trainable && target::winner(rules, parameter) == Some(at)
        };
        let moved = parameters.iter().filter(moved);
        let others: Vec<&Parameter> = moved.filter(|parameter| parameter.rank != 2).collect();
        if !others.is_empty() {
            return Err(OptimizerError::NotMatrices {
                statement: rule.to_string(),
                paths: target::listed(others),
            });
        }
    }
    Ok(())
}

/// Whether each number is in its range, and each rule can win.
fn check_rules(rules: &[&Rule]) -> Result<(), OptimizerError> {
    match rules.first() {
        Some(rule) if rule.targets.is_empty() => {}
        found => {
            return Err(OptimizerError::NoDefault {
                found: found.map_or("no rule".into(), |rule| format!("`{rule}`")),
            });
        }
    }
    for (i, rule) in rules.iter().enumerate() {
        if i > 0 && rule.targets.is_empty() {
            return Err(OptimizerError::Hides {
                number: i + 1,
                statement: rule.to_string(),
            });
        }
        rule.check(&rule.to_string())?;
    }
    Ok(())
}

fn one() -> f64 {
    1.0
}

impl Rule {
    /// `update` for these parameters, all if there is none, at the learning rate of the step.
    pub fn new(update: Update, targets: Vec<Target>) -> Self {
        Rule {
            update,
            lr: one(),
            targets,
        }
    }

    fn check(&self, statement: &str) -> Result<(), OptimizerError> {
        choice::check(&self.update, &statement)?;
        if !shared::LR.holds(self.lr) {
            return Err(OptimizerError::Range {
                statement: statement.into(),
                parameter: "lr",
                expected: shared::LR.described(),
                found: self.lr,
            });
        }
        Ok(())
    }

    /// `sgd(..) for bias, norm`
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        choice::write(f, &self.update, (self.lr != 1.0).then_some(self.lr))?;
        for (i, target) in self.targets.iter().enumerate() {
            write!(f, "{}{target}", if i == 0 { " for " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, rule) in self.rules.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}{rule};")?;
        }
        if let Some(clip) = &self.clip {
            write!(f, "\nclip {clip};")?;
        }
        if let Some(noise) = &self.noise {
            write!(f, "\nnoise {noise};")?;
        }
        if let Some(sharpness) = &self.sharpness {
            write!(f, "\nsharpness {sharpness};")?;
        }
        for average in &self.average {
            write!(f, "\naverage {average};")?;
        }
        for switch in &self.switches {
            write!(f, "\n{switch};")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("update ")?;
        self.write(f)
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "switch at {} to ", self.at)?;
        self.rule.write(f)
    }
}
