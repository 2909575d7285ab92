//! What the phases may be told by a word.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Enums whose variants are words of the language, and of the serialized plan.
macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($(#[$means:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$means])* $variant,)*
        }

        impl $name {
            pub(super) fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }
        }
    )*};
}

choices! {
    /// The way of a [`Phase::Warmup`](super::Phase::Warmup).
    WarmupShape {
        /// *from + (1 - from) · t / T*.
        #[default]
        Linear = "linear",
        /// *from* until it ends: the constant warmup of Goyal et al. 2017, section 2.2.
        Constant = "constant",
    }

    /// The way up and down of a [`Phase::OneCycle`](super::Phase::OneCycle).
    CycleShape {
        /// Half a cosine, as PyTorch and fastai do.
        #[default]
        Cosine = "cosine",
        /// A straight line, as in Smith & Topin 2019.
        Linear = "linear",
    }

    /// How the cycles of a [`Phase::Cyclic`](super::Phase::Cyclic) shrink.
    CyclicMode {
        /// They do not.
        #[default]
        Triangular = "triangular",
        /// Each is half as high as the one before.
        Triangular2 = "triangular2",
        /// *gamma* to the power of the steps since the phase began.
        ExpRange = "exp_range",
    }

    /// What the threshold of a [`Phase::Plateau`](super::Phase::Plateau) is a part of.
    ThresholdMode {
        /// Of the best value: below *best · (1 - threshold)* is better, or above
        /// *best · (1 + threshold)*. For metrics that are not negative.
        #[default]
        Relative = "relative",
        /// Of nothing: below *best - threshold* is better, or above *best + threshold*.
        Absolute = "absolute",
    }

    /// Which values of a metric are better.
    MetricMode {
        /// Smaller ones, as of a loss.
        #[default]
        Min = "min",
        /// Larger ones, as of an accuracy.
        Max = "max",
    }
}

/// What a [`Phase::Plateau`](super::Phase::Plateau) watches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// The mean loss on the validation set.
    #[default]
    ValidationLoss,
    /// The mean loss of the epoch's steps.
    TrainingLoss,
    /// The share of classes on the validation set that are right.
    Accuracy,
    /// A metric of one's own, which [`Trainer::metric`](crate::train::Trainer::metric) measures, or a
    /// loop of one's own observes.
    Named(String),
}

impl Metric {
    /// Which of its values are better; `None` where only its owner knows.
    pub fn mode(&self) -> Option<MetricMode> {
        match self {
            Metric::ValidationLoss | Metric::TrainingLoss => Some(MetricMode::Min),
            Metric::Accuracy => Some(MetricMode::Max),
            Metric::Named(_) => None,
        }
    }
}

/// As a declaration has it: `validation_loss`, `"f1"`.
impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::ValidationLoss => f.write_str("validation_loss"),
            Metric::TrainingLoss => f.write_str("training_loss"),
            Metric::Accuracy => f.write_str("accuracy"),
            Metric::Named(name) => write!(f, "{name:?}"),
        }
    }
}
