//! The phases: each a factor on the peak rate.

use serde::{Deserialize, Serialize};

use super::shared::{self, Known, Spec};
use super::{CycleShape, CyclicMode, Metric, MetricMode, ThresholdMode, Time, WarmupShape};

/// A part of a schedule: the factor on the peak rate while it lasts.
///
/// Below, *t* counts the steps since the phase began and *T* is its duration in steps. After the
/// duration of the last phase its last factor is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Phase {
    /// The peak itself: 1.
    Constant {
        /// For ever where there is none.
        duration: Option<Time>,
    },
    /// The factor that the phase before ended with; 1 if it is the first.
    Hold {
        /// For ever where there is none.
        duration: Option<Time>,
    },
    /// From `from` to the peak, *from + (1 - from) · t / T*: the first step has exactly `from`, as
    /// in optax and Hugging Face. Or `from` until the peak (Goyal et al. 2017, section 2.2).
    Warmup {
        /// How long it takes.
        duration: Time,
        /// The factor of its first step.
        from: f64,
        /// Linear, or constant.
        #[serde(default)]
        shape: WarmupShape,
    },
    /// *factor* to the power of the number of moments that have come: a step that stands at a
    /// moment has the lower rate, as in PyTorch's `MultiStepLR` and optax's
    /// `piecewise_constant_schedule`. It never ends.
    Step {
        /// What the rate is multiplied by at each moment, in (0, 1].
        factor: f64,
        /// The moments, rising, counted from the start of training. Those beyond its end are
        /// allowed, since trainings are shortened; they have no effect.
        at: Vec<Time>,
    },
    /// *from + (to - from) · t / T*, as optax's `linear_schedule`.
    Linear {
        /// Until the end of training where there is none.
        duration: Option<Time>,
        /// The factor of its first step.
        from: f64,
        /// The factor when it ends, one step after its last.
        to: f64,
    },
    /// *to + (1 - to) · (1 - t / T)^power*, as optax's `polynomial_schedule` and PyTorch's
    /// `PolynomialLR`.
    Polynomial {
        /// Until the end of training where there is none.
        duration: Option<Time>,
        /// The exponent, above 0.
        power: f64,
        /// The factor when it ends, one step after its last.
        to: f64,
    },
    /// Half a cosine, *to + (1 - to) · (1 + cos(π t / T)) / 2*, as in Loshchilov & Hutter 2017
    /// without restarts. PyTorch's and Burn's rise again after *T*; here, as in optax, the last
    /// factor is held.
    Cosine {
        /// Until the end of training where there is none.
        duration: Option<Time>,
        /// The factor when it ends, one step after its last.
        to: f64,
    },
    /// SGDR (Loshchilov & Hutter 2017): half a cosine down to `to`, then up at once and down again.
    /// Cycle *i*, from 0, lasts *period · multⁱ* and begins at *decayⁱ*, at least at `to`. A step
    /// that stands at a restart has the rate of the new cycle already.
    CosineRestarts {
        /// For ever where there is none.
        duration: Option<Time>,
        /// The length of the first cycle, at least a step.
        period: Time,
        /// How much longer each cycle is than the one before, at least 1: PyTorch's `T_mult`.
        mult: f64,
        /// What the top of each cycle is to that of the one before, in (0, 1]: timm's `cycle_decay`.
        decay: f64,
        /// The factor at the end of each cycle.
        to: f64,
    },
    /// *factor* to the power of *t / every*, continuously.
    Exponential {
        /// For ever where there is none.
        duration: Option<Time>,
        /// What the rate is multiplied by in the time `every`, in (0, 1].
        factor: f64,
        /// The time in which the rate is multiplied by `factor`.
        every: Time,
    },
    /// *√(timescale / (timescale + t))*, as Hugging Face's inverse square root. Behind a warmup and
    /// without a time scale of its own it is the schedule of Vaswani et al. 2017 ("Noam"), up to
    /// its constant, which is the peak.
    InverseSqrt {
        /// For ever where there is none.
        duration: Option<Time>,
        /// The time of the phases before it where there is none.
        timescale: Option<Time>,
    },
    /// The 1cycle policy (Smith & Topin 2019) with the parts of PyTorch's `OneCycleLR`: from `from`
    /// up to the peak, then down to `to`; with three phases down to `from` in as long a time, and
    /// then to `to`.
    OneCycle {
        /// Until the end of training where there is none.
        duration: Option<Time>,
        /// The share of the duration in which the rate rises, in (0, 1), below ½ with three
        /// phases: PyTorch's `pct_start`.
        up: f64,
        /// The factor of its first step: 1 / PyTorch's `div_factor`.
        from: f64,
        /// The factor when it ends, one step after its last: 1 / (PyTorch's `div_factor` ·
        /// `final_div_factor`).
        to: f64,
        /// The way up and down.
        #[serde(default)]
        shape: CycleShape,
        /// Whether it comes down to `from` first.
        #[serde(default)]
        three_phase: bool,
    },
    /// Cyclical learning rates (Smith 2017) with the parts of PyTorch's `CyclicLR`: from `from` to
    /// the peak and back in straight lines, over and over.
    Cyclic {
        /// For ever where there is none.
        duration: Option<Time>,
        /// The time in which the rate rises, at least a step.
        up: Time,
        /// The time in which it falls; that of `up` where there is none.
        down: Option<Time>,
        /// The factor that it rises from and falls to.
        from: f64,
        /// How the cycles shrink.
        #[serde(default)]
        mode: CyclicMode,
        /// The factor of a step on the height over `from`, in (0, 1]; for
        /// [`CyclicMode::ExpRange`], and for it alone.
        #[serde(default)]
        gamma: Option<f64>,
    },
    /// The rate that the phase before ended with, times `factor` each time that a metric has been no
    /// better for *more than* `patience` epochs: the rule of PyTorch's `ReduceLROnPlateau`, with
    /// its least reduction of 1e-8 too. (optax's `reduce_on_plateau` reduces at the `patience`-th.)
    ///
    /// It is the one phase with a state, which [`Rate`](super::Rate) holds; see
    /// [`Rate::observe`](super::Rate::observe). It never ends.
    Plateau {
        /// What the rate is multiplied by, in (0, 1).
        factor: f64,
        /// How many epochs in a row may be no better, in whole epochs.
        patience: Time,
        /// How much better a value must be than the best one to count.
        threshold: f64,
        /// What the threshold is a part of.
        threshold_mode: ThresholdMode,
        /// For how many epochs after a reduction no epoch counts as bad, in whole epochs.
        cooldown: Time,
        /// The rate, not a factor, that it does not fall below.
        min_lr: f64,
        /// What is watched.
        on: Metric,
        /// Which values are better. [`Metric::mode`] where there is none; a
        /// [`Metric::Named`] needs one.
        mode: Option<MetricMode>,
    },
}

/// An argument of a phase, as the rules of the language see it.
pub(super) enum Argument<'a> {
    Time(Option<Time>),
    Moments(&'a [Time]),
    Number(Option<f64>),
    Word(Option<&'static str>),
    /// Whether a metric has a text for its name.
    Metric(bool),
}

impl Phase {
    pub(super) fn spec(&self) -> &'static Spec {
        match self {
            Phase::Constant { .. } => &shared::CONSTANT,
            Phase::Hold { .. } => &shared::HOLD,
            Phase::Warmup { .. } => &shared::WARMUP,
            Phase::Step { .. } => &shared::STEP,
            Phase::Linear { .. } => &shared::LINEAR,
            Phase::Polynomial { .. } => &shared::POLYNOMIAL,
            Phase::Cosine { .. } => &shared::COSINE,
            Phase::CosineRestarts { .. } => &shared::COSINE_RESTARTS,
            Phase::Exponential { .. } => &shared::EXPONENTIAL,
            Phase::InverseSqrt { .. } => &shared::INVERSE_SQRT,
            Phase::OneCycle { .. } => &shared::ONE_CYCLE,
            Phase::Cyclic { .. } => &shared::CYCLIC,
            Phase::Plateau { .. } => &shared::PLATEAU,
        }
    }

    /// The arguments, in the order of the parameters of [`spec`](Self::spec).
    pub(super) fn arguments(&self) -> Vec<Argument<'_>> {
        use Argument::{Metric as Watched, Moments, Number, Time, Word};
        match self {
            Phase::Constant { duration } | Phase::Hold { duration } => vec![Time(*duration)],
            Phase::Warmup {
                duration,
                from,
                shape,
            } => vec![
                Time(Some(*duration)),
                Number(Some(*from)),
                Word(Some(shape.word())),
            ],
            Phase::Step { factor, at } => vec![Number(Some(*factor)), Moments(at)],
            Phase::Linear { duration, from, to } => {
                vec![Time(*duration), Number(Some(*from)), Number(Some(*to))]
            }
            Phase::Polynomial {
                duration,
                power,
                to,
            } => vec![Time(*duration), Number(Some(*power)), Number(Some(*to))],
            Phase::Cosine { duration, to } => vec![Time(*duration), Number(Some(*to))],
            Phase::CosineRestarts {
                duration,
                period,
                mult,
                decay,
                to,
            } => vec![
                Time(*duration),
                Time(Some(*period)),
                Number(Some(*mult)),
                Number(Some(*decay)),
                Number(Some(*to)),
            ],
            Phase::Exponential {
                duration,
                factor,
                every,
            } => vec![Time(*duration), Number(Some(*factor)), Time(Some(*every))],
            Phase::InverseSqrt {
                duration,
                timescale,
            } => vec![Time(*duration), Time(*timescale)],
            Phase::OneCycle {
                duration,
                up,
                from,
                to,
                shape,
                three_phase,
            } => vec![
                Time(*duration),
                Number(Some(*up)),
                Number(Some(*from)),
                Number(Some(*to)),
                Word(Some(shape.word())),
                Word(Some(if *three_phase { "true" } else { "false" })),
            ],
            Phase::Cyclic {
                duration,
                up,
                down,
                from,
                mode,
                gamma,
            } => vec![
                Time(*duration),
                Time(Some(*up)),
                Time(*down),
                Number(Some(*from)),
                Word(Some(mode.word())),
                Number(*gamma),
            ],
            Phase::Plateau {
                factor,
                patience,
                threshold,
                threshold_mode,
                cooldown,
                min_lr,
                on,
                mode,
            } => vec![
                Number(Some(*factor)),
                Time(Some(*patience)),
                Number(Some(*threshold)),
                Word(Some(threshold_mode.word())),
                Time(Some(*cooldown)),
                Number(Some(*min_lr)),
                Watched(matches!(on, Metric::Named(_))),
                Word(mode.map(MetricMode::word)),
            ],
        }
    }

    /// What the rules that join several arguments may know of the one called `name`.
    pub(super) fn known(&self, name: &str) -> Known {
        let params = self.spec().params.iter();
        let mut found = params.zip(self.arguments());
        match found.find(|(param, _)| param.name == name) {
            Some((_, Argument::Number(Some(value)))) => Known::Number(value),
            Some((_, Argument::Word(Some(word)))) => Known::Word(word),
            Some((_, Argument::Metric(true))) => Known::Text,
            Some((_, Argument::Time(None) | Argument::Number(None) | Argument::Word(None)))
            | None => Known::Absent,
            Some(_) => Known::Unknown,
        }
    }

    pub(super) fn duration(&self) -> Option<Time> {
        match self {
            Phase::Warmup { duration, .. } => Some(*duration),
            Phase::Constant { duration }
            | Phase::Hold { duration }
            | Phase::Linear { duration, .. }
            | Phase::Polynomial { duration, .. }
            | Phase::Cosine { duration, .. }
            | Phase::CosineRestarts { duration, .. }
            | Phase::Exponential { duration, .. }
            | Phase::InverseSqrt { duration, .. }
            | Phase::OneCycle { duration, .. }
            | Phase::Cyclic { duration, .. } => *duration,
            Phase::Step { .. } | Phase::Plateau { .. } => None,
        }
    }
}
