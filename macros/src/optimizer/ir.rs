//! IR: an optimizer that was checked. Rules in order, every number known or named; empty where the
//! declaration has a mistake.

use super::rules::{Spec, Statement};
use crate::schedule::rules::Unit;
use crate::syntax::Expr;

#[derive(Default)]
pub struct Recipe<'a> {
    /// The first is for all parameters.
    pub rules: Vec<Rule<'a>>,
    /// What the other statements say, each in the order of the declaration.
    pub said: Vec<(&'static Statement, Choice<'a>)>,
    /// The rules that hold from a moment on.
    pub switches: Vec<(Time<'a>, Rule<'a>)>,
}

pub struct Rule<'a> {
    pub update: Choice<'a>,
    /// The learning rate as a multiple of the schedule's.
    pub lr: Option<&'a Expr>,
    pub targets: Vec<Target>,
}

/// A variant and its fields.
pub struct Choice<'a> {
    pub spec: &'static Spec,
    /// As many as it has parameters; `None` is the default.
    pub values: Vec<Option<Value<'a>>>,
}

pub enum Value<'a> {
    Number(&'a Expr),
    Count(&'a Expr),
    Flag(&'a Expr),
    /// The variant that the word stands for.
    Word(&'static str),
    Time(Time<'a>),
}

#[derive(Clone, Copy)]
pub struct Time<'a> {
    pub value: &'a Expr,
    pub unit: Unit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Bias,
    Norm,
    Embedding,
    Path(String),
}
