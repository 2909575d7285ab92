//! What can be wrong with an optimizer that compiles.

use thiserror::Error;

/// A recipe that cannot be followed, or not on this model.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum OptimizerError {
    /// A number is out of its range.
    #[error(
        "`{parameter}` of `{statement}` must be {expected}, found {found}; \
         mend the value, or the file that the configuration was read from"
    )]
    Range {
        /// The statement that holds the number.
        statement: String,
        /// The number's name.
        parameter: &'static str,
        /// The range.
        expected: &'static str,
        /// The number, as it was given.
        found: f64,
    },

    /// A flag that means nothing without a number.
    #[error(
        "`{statement}` asks for `{flag}`, and its `{needs}` is 0; give it a `{needs}` above 0, or \
         leave out `{flag}`"
    )]
    Needs {
        /// The statement.
        statement: String,
        /// The flag.
        flag: &'static str,
        /// The number that it needs.
        needs: &'static str,
    },

    /// A time that cannot be.
    #[error("{problem}, in `{statement}`")]
    Time {
        /// The statement.
        statement: String,
        /// What was expected, and what was found.
        problem: String,
    },

    /// Averages that exclude each other.
    #[error(
        "the recipe averages the weights in two ways; keep at most one `lookahead` and one of \
         `ema` and `swa`"
    )]
    Averages,

    /// A time, where nobody says how long training is.
    #[error(
        "`{statement}` depends on how long training is; use `over(&model, &horizon)` in place of \
         `init(&model)`, or a `Trainer`, which does"
    )]
    NoHorizon {
        /// The statement.
        statement: String,
    },

    /// The first rule is missing or serves some parameters only.
    #[error(
        "the first rule must hold for all parameters, and so must the first one from the moment of \
         a `switch` on, found {found}; begin with a rule without `for`, and write the \
         rules of one moment with the same time"
    )]
    NoDefault {
        /// What stands there.
        found: String,
    },

    /// A rule for all parameters behind another rule, which it hides.
    #[error(
        "rule {number}, `{statement}`, holds for all parameters and hides the rules before it, \
         because the last rule that matches wins; move it to the front, or say what it is `for`"
    )]
    Hides {
        /// The place of the rule, from 1.
        number: usize,
        /// The rule.
        statement: String,
    },

    /// A path pattern that matches nothing.
    #[error(
        "no parameter of the model matches \"{pattern}\" in `{statement}`; its parameters are {paths}"
    )]
    Unmatched {
        /// The pattern.
        pattern: String,
        /// The rule.
        statement: String,
        /// The paths of the model's parameters.
        paths: String,
    },

    /// A rule for matrices that would move parameters of another rank.
    #[error(
        "`{statement}` moves matrices alone, and not {paths}; give these another rule behind it, such \
         as `update adamw() for bias, norm, \"..\";`"
    )]
    NotMatrices {
        /// The rule.
        statement: String,
        /// The paths of the parameters.
        paths: String,
    },

    /// Two trainable parameters with one identity.
    #[error(
        "the parameters `{first}` and `{second}` are tied: they are clones with one identity, and \
         Burn updates the first alone and leaves the second behind; keep the layer once and call it \
         twice"
    )]
    Tied {
        /// The path at which the parameter is met first.
        first: String,
        /// The path at which it is met again.
        second: String,
    },

    /// A rule that evaluates the loss, and something beside it.
    #[error(
        "`{statement}` evaluates the loss several times a step, and nothing stands beside it; leave \
         out `{beside}`, or choose another update rule"
    )]
    NotAlone {
        /// The rule.
        statement: String,
        /// What stands beside it.
        beside: String,
    },

    /// A rule that evaluates the loss, where one gradient a step is all there is.
    #[error(
        "`{statement}` evaluates the loss several times a step; use `minimiser(&model)` in place of \
         `init(&model)`, or a `Trainer`, which does"
    )]
    NeedsLoss {
        /// The rule.
        statement: String,
    },

    /// A rule that takes products with the loss's curvature, where there are none.
    #[error(
        "`{statement}` takes products with the curvature of the loss, which a declared network has in a \
         `Trainer`; a loop of your own has `kiln::flatness::NewtonCg`"
    )]
    NeedsProducts {
        /// The rule.
        statement: String,
    },

    /// A [`Minimiser`](super::Minimiser) of a rule that takes one gradient a step.
    #[error(
        "`{statement}` takes one gradient a step; use `init(&model)` in place of `minimiser(&model)`"
    )]
    NeedsGradient {
        /// The rule.
        statement: String,
    },

    /// Parameters that cannot be one vector.
    #[error(
        "`{statement}` moves all parameters as one vector, which needs one type of numbers on one \
         device, and `{path}` is {found} where others are {expected}"
    )]
    Mixed {
        /// The rule.
        statement: String,
        /// The path of the parameter.
        path: String,
        /// Its type and its device.
        found: String,
        /// Those of the first parameter.
        expected: String,
    },

    /// Something that a `ModuleOptimizer` of Burn's cannot do.
    #[error(
        "`{statement}` cannot be said to Burn's `ModuleOptimizer`, which sees one gradient at a \
         time and keeps no other weights; use `init`, or leave the statement out"
    )]
    NotInBurn {
        /// The statement.
        statement: String,
    },

    /// Bytes that are not, or no longer, a record.
    #[error("these bytes are no whole record of an optimizer: {reason}")]
    Damaged {
        /// Why.
        reason: String,
    },

    /// A record of another model, or of other averages.
    #[error("the record is none of this optimizer's: {reason}; load it into the one that wrote it")]
    Foreign {
        /// What was expected, and what was found.
        reason: String,
    },

    /// A record that another optimizer wrote.
    #[error(
        "the record holds {found} tensors of optimizer state and {used} of them fit this optimizer \
         (`{recipe}`); load it into the optimizer that wrote it"
    )]
    Record {
        /// The tensors in the record.
        found: usize,
        /// Those that were understood.
        used: usize,
        /// The optimizer that was to load it.
        recipe: String,
    },
}
