//! IR: a schedule that was checked. It has only valid parts, or no plan.

use super::rules::{Spec, Unit};
use crate::syntax::{Expr, Head};

pub struct Schedule {
    pub head: Head,
    /// Nothing where the declaration has a mistake.
    pub plan: Option<Plan>,
}

pub struct Plan {
    pub peak: Expr,
    pub scaling: Option<Scaling>,
    pub phases: Vec<Phase>,
}

pub struct Scaling {
    pub law: Law,
    /// The batch at which the peak is the rate.
    pub per: Expr,
}

/// How the peak grows with the batch.
#[derive(Clone, Copy)]
pub enum Law {
    Linear,
    Sqrt,
}

pub struct Phase {
    pub spec: &'static Spec,
    /// One field for each parameter of `spec`.
    pub fields: Vec<(&'static str, Field)>,
}

/// The value of a field.
pub enum Field {
    Number(Expr),
    /// A number that was left out.
    Default(f64),
    Time(Time),
    Moments(Vec<Time>),
    /// The variant of a type of `kiln::schedule`.
    Word(&'static str, &'static str),
    Flag(bool),
    /// A metric that has no name of its own.
    Metric(String),
    /// What may be left out and has no default: `Some` if it was given.
    Optional(Option<Box<Field>>),
}

pub struct Time {
    pub value: Expr,
    pub unit: Unit,
}
