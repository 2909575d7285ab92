//! IR: an optimizer that was checked. Rules in order, every number known or named; empty where the
//! declaration has a mistake.

use super::rules;
use crate::syntax::Expr;

#[derive(Default)]
pub struct Recipe<'a> {
    /// The first is for all parameters.
    pub rules: Vec<Rule<'a>>,
    /// The bound of `clip global_norm`.
    pub max_norm: Option<&'a Expr>,
}

pub struct Rule<'a> {
    pub rule: &'static rules::Rule,
    /// As many as the rule has parameters; `None` is the default.
    pub values: Vec<Option<&'a Expr>>,
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Bias,
    Norm,
    Path(String),
}
