//! What a statement may say, as the table of the language sees it: checked and shown by one piece
//! of code each.

use std::fmt;

use super::OptimizerError;
use super::shared::{Kind, Spec};
use crate::schedule::Time;

/// Something that a statement says: an update rule, a way of clipping.
pub(super) trait Choice {
    /// Its entry in the table.
    fn spec(&self) -> &'static Spec;

    /// Its fields with their names.
    fn fields(&self) -> Vec<(&'static str, Value)>;
}

/// The value of a field.
pub(super) enum Value {
    Number(f64),
    Count(usize),
    Flag(bool),
    Word(&'static str),
    Time(Time),
}

/// An enum whose variants are entries of the table.
macro_rules! choices {
    (
        $(#[$outer:meta])*
        pub enum $name:ident {
            $(
                $(#[$doc:meta])*
                $variant:ident = $spec:ident {
                    $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
                }
            )*
        }
    ) => {
        #[derive(Clone, Copy, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $(#[$outer])*
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant { $($(#[$field_doc])* $field: $type,)* },)*
        }

        impl $crate::optim::choice::Choice for $name {
            fn spec(&self) -> &'static $crate::optim::shared::Spec {
                match self {
                    $($name::$variant { .. } => &$crate::optim::shared::$spec,)*
                }
            }

            fn fields(&self) -> Vec<(&'static str, $crate::optim::choice::Value)> {
                match self {
                    $($name::$variant { $($field),* } => {
                        vec![$((stringify!($field), (*$field).into())),*]
                    })*
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::optim::choice::write(f, self, None)
            }
        }
    };
}
pub(super) use choices;

/// Whether every number is in its range; `statement` is what the error quotes.
pub(super) fn check(
    choice: &impl Choice,
    statement: &dyn fmt::Display,
) -> Result<(), OptimizerError> {
    let fields = choice.fields();
    for (parameter, value) in &fields {
        let Some(param) = choice.spec().param(parameter) else {
            continue;
        };
        let refused = |expected, found| {
            Err(OptimizerError::Range {
                statement: statement.to_string(),
                parameter,
                expected,
                found,
            })
        };
        match (value, param.kind) {
            (Value::Number(found), Kind::Number(range, _)) if !range.holds(*found) => {
                return refused(range.described(), *found);
            }
            (Value::Count(0), _) => return refused("at least 1", 0.0),
            (
                Value::Flag(true),
                Kind::Flag {
                    needs: Some(needs), ..
                },
            ) => {
                let nothing = |(name, value): &(&str, Value)| {
                    *name == needs && matches!(value, Value::Number(0.0))
                };
                if fields.iter().any(nothing) {
                    return Err(OptimizerError::Needs {
                        statement: statement.to_string(),
                        flag: parameter,
                        needs,
                    });
                }
            }
            (Value::Time(time), _) => {
                time.check(parameter)
                    .map_err(|problem| OptimizerError::Time {
                        statement: statement.to_string(),
                        problem,
                    })?
            }
            _ => {}
        }
    }
    Ok(())
}

/// `sgd(momentum: 0.9, nesterov: true, weight_decay: 0, lr: 10x)`
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    choice: &impl Choice,
    lr: Option<f64>,
) -> fmt::Result {
    let spec = choice.spec();
    write!(f, "{}(", spec.name)?;
    let mut comma = "";
    for (i, (name, value)) in choice.fields().into_iter().enumerate() {
        f.write_str(comma)?;
        if i >= spec.positional {
            write!(f, "{name}: ")?;
        }
        write!(f, "{value}")?;
        comma = ", ";
    }
    if let Some(lr) = lr {
        write!(f, "{comma}lr: {lr}x")?;
    }
    f.write_str(")")
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // 1e-8 as one writes it.
            Value::Number(number) if *number != 0.0 && number.abs() < 1e-3 => {
                write!(f, "{number:e}")
            }
            Value::Number(number) => write!(f, "{number}"),
            Value::Count(count) => write!(f, "{count}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Word(word) => f.write_str(word),
            Value::Time(time) => write!(f, "{time}"),
        }
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Value::Count(count)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Value::Time(time)
    }
}
