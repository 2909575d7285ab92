//! The rules that hold from one step on, until a `switch` takes them away.

use burn::module::{Module, ParamGroup};
use burn::optim::ModuleOptimizer;

use super::steepest::{self, Descent};
use super::target::{self, Parameter, Target};
use super::{OptimizerError, Rule, Update};

#[derive(Clone)]
pub(super) struct Stage {
    /// The first step, counted from 0.
    pub start: u64,
    pub rules: Vec<Rule>,
    pub optimizer: ModuleOptimizer,
    /// Of each parameter, in the order of the model, what turns its gradient.
    pub descents: Vec<Option<Descent>>,
}

impl Stage {
    /// One group of Burn's a rule. Groups go by path rather than by identity: loading a record
    /// into the model gives its parameters the identities that they had when it was saved.
    ///
    /// `rules` are checked, so that the first is for all parameters.
    pub(super) fn new<M: Module>(
        start: u64,
        rules: Vec<Rule>,
        model: &M,
    ) -> Result<Stage, OptimizerError> {
        let parameters = target::parameters(model);
        target::refuse_tied(&parameters)?;
        refuse_other_ranks(&rules, &parameters)?;
        let first = &rules[0];
        let mut optimizer = first.update.build(first.lr, None)?;
        for rule in &rules[1..] {
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
            optimizer = rule.update.build(rule.lr, Some((optimizer, group)))?;
        }
        Ok(Stage {
            start,
            descents: steepest::descents(&parameters, &rules),
            rules,
            optimizer,
        })
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
        let others: Vec<&Parameter> = moved
            .filter(|parameter| parameter.shape.rank() != 2)
            .collect();
        if !others.is_empty() {
            return Err(OptimizerError::NotMatrices {
                statement: rule.to_string(),
                paths: target::listed(others),
            });
        }
    }
    Ok(())
}
