//! The update rules: what each takes, in which range, with which default.

use crate::syntax::{Param, Signature};

/// An update rule, the variant of `kiln::optim::Update` that it becomes, and its parameters.
pub struct Rule {
    pub name: &'static str,
    pub variant: &'static str,
    pub signature: Signature,
    /// One for each parameter of the signature.
    pub values: &'static [Value],
}

#[derive(Clone, Copy)]
pub enum Value {
    Number {
        default: f64,
        range: Range,
    },
    /// `needs` names a number that has to be above 0 where the flag is on.
    Flag {
        default: bool,
        needs: &'static str,
    },
}

/// The range of a number. Burn keeps these numbers in single precision, so they are looked at
/// there: 0.999999999 would be a momentum of 1, and 1e-50 an epsilon of 0.
#[derive(Clone, Copy)]
pub enum Range {
    /// `[0, 1)`
    Fraction,
    /// `(0, ∞)`
    Positive,
    /// `[0, ∞)`
    NonNegative,
}

impl Range {
    pub fn holds(self, value: f64) -> bool {
        let value = value as f32;
        value.is_finite()
            && match self {
                Range::Fraction => (0.0..1.0).contains(&value),
                Range::Positive => value > 0.0,
                Range::NonNegative => value >= 0.0,
            }
    }

    pub fn described(self) -> &'static str {
        match self {
            Range::Fraction => "at least 0 and below 1",
            Range::Positive => "above 0 and finite",
            Range::NonNegative => "at least 0 and finite",
        }
    }
}

const fn number(default: f64, range: Range) -> Value {
    Value::Number { default, range }
}

macro_rules! rules {
    ($($name:ident as $variant:ident($($param:ident: $value:expr),*);)*) => {
        /// All of them. The defaults are PyTorch's.
        pub const RULES: &[Rule] = &[$(Rule {
            name: stringify!($name),
            variant: stringify!($variant),
            signature: Signature {
                params: &[$(Param::optional(stringify!($param))),*],
                positional: 0,
            },
            values: &[$($value),*],
        }),*];
    };
}

rules! {
    sgd as Sgd(
        momentum: number(0.0, Range::Fraction),
        nesterov: Value::Flag { default: false, needs: "momentum" },
        weight_decay: number(0.0, Range::NonNegative)
    );
    adam as Adam(
        beta_1: number(0.9, Range::Fraction),
        beta_2: number(0.999, Range::Fraction),
        epsilon: number(1e-8, Range::Positive),
        weight_decay: number(0.0, Range::NonNegative)
    );
    adamw as AdamW(
        beta_1: number(0.9, Range::Fraction),
        beta_2: number(0.999, Range::Fraction),
        epsilon: number(1e-8, Range::Positive),
        weight_decay: number(0.01, Range::NonNegative)
    );
}

pub const CLIP: &str = "global_norm";
pub const CLIP_SIGNATURE: Signature = Signature {
    params: &[Param::required("max_norm")],
    positional: 1,
};
pub const CLIP_RANGE: Range = Range::Positive;
