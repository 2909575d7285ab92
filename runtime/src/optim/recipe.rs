//! What a declaration says, as plain data.

use std::fmt;

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};

use super::average::Moments;
use super::choice::Choice;
use super::stage::Stage;
use super::target::Target;
use super::update::Update;
use super::{
    Average, Clip, Minimiser, Noise, OptimizerError, Sharpness, Updater, choice, shared, steepest,
};
use crate::schedule::{Horizon, Time};

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
        self.stands_alone()?;
        for (_, rules) in self.stages() {
            check_rules(&rules)?;
        }
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
            let refused = |problem| switch.refused(problem);
            switch.at.check("at").map_err(refused)?;
        }
        let lookahead = |average: &&Average| matches!(average, Average::Lookahead { .. });
        let lookaheads = self.average.iter().filter(lookahead).count();
        if lookaheads > 1 || self.average.len() > lookaheads + 1 {
            return Err(OptimizerError::Averages);
        }
        Ok(())
    }

    fn stands_alone(&self) -> Result<(), OptimizerError> {
        let alone = |rule: &Rule| {
            let name = rule.update.spec().name;
            shared::ALONE.iter().any(|spec| spec.name == name)
        };
        let rules = self.rules.iter();
        let rules = rules.map(|rule| (alone(rule), rule.to_string()));
        let switches = self.switches.iter();
        let switches = switches.map(|switch| (alone(&switch.rule), switch.to_string()));
        let beside = self.beside().map(|statement| (false, statement));
        let mut statements: Vec<(bool, String)> = rules.chain(switches).chain(beside).collect();
        let Some(at) = statements.iter().position(|(alone, _)| *alone) else {
            return Ok(());
        };
        let (_, statement) = statements.remove(at);
        match statements.into_iter().next() {
            Some((_, beside)) => Err(OptimizerError::NotAlone { statement, beside }),
            None => Ok(()),
        }
    }

    /// The statements that are neither `update` nor `switch`.
    fn beside(&self) -> impl Iterator<Item = String> {
        let clip = self.clip.iter().map(|clip| format!("clip {clip}"));
        let noise = self.noise.iter().map(|noise| format!("noise {noise}"));
        let sharpness = self.sharpness.iter().map(|way| format!("sharpness {way}"));
        let average = self.average.iter().map(|kind| format!("average {kind}"));
        clip.chain(noise).chain(sharpness).chain(average)
    }

    /// The rules of the beginning, and those of each moment of `switches` with the first statement
    /// of that moment.
    fn stages(&self) -> Vec<(Option<&Switch>, Vec<Rule>)> {
        let later = self.switches.chunk_by(|a, b| a.at == b.at);
        let later = later.map(|switches| {
            let rules = switches.iter().map(|switch| switch.rule.clone());
            (switches.first(), rules.collect())
        });
        let first = (None, self.rules.clone());
        std::iter::once(first).chain(later).collect()
    }

    /// As [`Optimizer::init`](super::Optimizer::init).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn init<M: Module>(&self, model: &M) -> Result<Updater, OptimizerError> {
        let means = self.average.iter();
        let means = means.filter(|average| matches!(average, Average::Swa { .. }));
        let means = means.map(|average| format!("average {average}"));
        let mut timed = means.chain(self.switches.iter().map(Switch::to_string));
        if let Some(statement) = timed.next() {
            return Err(OptimizerError::NoHorizon { statement });
        }
        let unused = Horizon {
            steps: 0,
            steps_per_epoch: 0,
            batch: 0,
        };
        self.over(model, &unused)
    }

    /// As [`Optimizer::over`](super::Optimizer::over).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn over<M: Module>(&self, model: &M, horizon: &Horizon) -> Result<Updater, OptimizerError> {
        self.check()?;
        let mut stages: Vec<Stage> = Vec::new();
        for (switch, rules) in self.stages() {
            let start = match (switch, stages.last()) {
                (Some(switch), Some(before)) => switch.step(before.start, horizon)?,
                _ => 0,
            };
            stages.push(Stage::new(start, rules, model)?);
        }
        let mut moments = None;
        for average in &self.average {
            if let Average::Swa { from, every } = average {
                let found = Moments::new(*from, *every, horizon);
                moments = Some(found.map_err(|problem| OptimizerError::Time {
                    statement: format!("average {average}"),
                    problem,
                })?);
            }
        }
        Ok(Updater::new(self.clone(), stages, moments, model))
    }

    /// As [`Optimizer::minimiser`](super::Optimizer::minimiser).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn minimiser<M: Module>(&self, model: &M) -> Result<Minimiser, OptimizerError> {
        Minimiser::new(self.clone(), model)
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
        let switches = self.switches.iter().map(Switch::to_string);
        if let Some(statement) = self.beside().chain(switches).next() {
            return Err(OptimizerError::NotInBurn { statement });
        }
        if let Some(rule) = self.rules.iter().find(|rule| steepest::is(rule)) {
            return Err(OptimizerError::NotInBurn {
                statement: rule.to_string(),
            });
        }
        check_rules(&self.rules)?;
        Ok(Stage::new(0, self.rules.clone(), model)?.optimizer)
    }
}

/// Whether each number is in its range, and each rule can win.
fn check_rules(rules: &[Rule]) -> Result<(), OptimizerError> {
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

impl Switch {
    /// The step before which these rules take over, counted from 0, if it is after `before`.
    fn step(&self, before: u64, horizon: &Horizon) -> Result<u64, OptimizerError> {
        let start = self.at.steps(horizon).ceil() as u64;
        if start <= before {
            return Err(self.refused(format!(
                "`at` must be later than the rules before it, which hold from step {before} on, \
                 found step {start}; rules of one moment are written with the same time",
            )));
        }
        if start >= horizon.steps {
            let steps = horizon.steps;
            return Err(self.refused(format!(
                "`at` must lie before the end of training after {steps} steps, found step {start}",
            )));
        }
        Ok(start)
    }

    fn refused(&self, problem: String) -> OptimizerError {
        OptimizerError::Time {
            statement: self.to_string(),
            problem,
        }
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
