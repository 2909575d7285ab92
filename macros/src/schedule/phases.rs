//! The phases of the language and what each takes. Read by the compiler and by the running program,
//! as `rules` is.

use super::rules::{Kind, Param, Range, Spec, Unlimited, Words};

const DURATION: Param = Param {
    name: "duration",
    kind: Kind::Duration,
};

/// The peak rate as it is.
pub const CONSTANT: Spec = Spec {
    name: "constant",
    variant: "Constant",
    params: &[DURATION],
    unlimited: Unlimited::Endless,
    first: None,
};

/// The factor that the phase before ended with.
pub const HOLD: Spec = Spec {
    name: "hold",
    variant: "Hold",
    params: &[DURATION],
    unlimited: Unlimited::Endless,
    first: None,
};

/// From `from` to 1, or `from` and then 1.
pub const WARMUP: Spec = Spec {
    name: "warmup",
    variant: "Warmup",
    params: &[
        DURATION,
        number("from", Range::NotNegative, Some(0.0)),
        word("shape", &WARMUP_SHAPES, Some("linear")),
    ],
    unlimited: Unlimited::Never,
    first: Some(JUMPS),
};

/// Times `factor` at each moment.
pub const STEP: Spec = Spec {
    name: "step",
    variant: "Step",
    params: &[
        number("factor", Range::Share, None),
        Param {
            name: "at",
            kind: Kind::Moments,
        },
    ],
    unlimited: Unlimited::Endless,
    first: None,
};

/// Linear from `from` to `to`.
pub const LINEAR: Spec = Spec {
    name: "linear",
    variant: "Linear",
    params: &[
        DURATION,
        number("from", Range::NotNegative, Some(1.0)),
        number("to", Range::NotNegative, Some(0.0)),
    ],
    unlimited: Unlimited::Rest,
    first: None,
};

/// A power of the time left, from 1 to `to`.
pub const POLYNOMIAL: Spec = Spec {
    name: "polynomial",
    variant: "Polynomial",
    params: &[
        DURATION,
        number("power", Range::Positive, Some(2.0)),
        number("to", Range::NotNegative, Some(0.0)),
    ],
    unlimited: Unlimited::Rest,
    first: None,
};

/// Half a cosine from 1 to `to`.
pub const COSINE: Spec = Spec {
    name: "cosine",
    variant: "Cosine",
    params: &[DURATION, number("to", Range::NotNegative, Some(0.0))],
    unlimited: Unlimited::Rest,
    first: None,
};

/// Half cosines one behind the other.
pub const COSINE_RESTARTS: Spec = Spec {
    name: "cosine_restarts",
    variant: "CosineRestarts",
    params: &[
        DURATION,
        cycle("period", true),
        number("mult", Range::AtLeastOne, Some(1.0)),
        number("decay", Range::Share, Some(1.0)),
        number("to", Range::NotNegative, Some(0.0)),
    ],
    unlimited: Unlimited::Endless,
    first: None,
};

/// `factor` to the power of the time in units of `every`.
pub const EXPONENTIAL: Spec = Spec {
    name: "exponential",
    variant: "Exponential",
    params: &[
        DURATION,
        number("factor", Range::Share, None),
        Param {
            name: "every",
            kind: Kind::Time {
                required: true,
                least: 0.0,
            },
        },
    ],
    unlimited: Unlimited::Endless,
    first: None,
};

/// One over the square root of the time.
pub const INVERSE_SQRT: Spec = Spec {
    name: "inverse_sqrt",
    variant: "InverseSqrt",
    params: &[
        DURATION,
        Param {
            name: "timescale",
            kind: Kind::Time {
                required: false,
                least: 0.0,
            },
        },
    ],
    unlimited: Unlimited::Endless,
    first: None,
};

/// Up from `from` to 1, down again, and on to `to`.
pub const ONE_CYCLE: Spec = Spec {
    name: "one_cycle",
    variant: "OneCycle",
    params: &[
        DURATION,
        number("up", Range::Inside, Some(0.3)),
        number("from", Range::NotNegative, Some(0.04)),
        number("to", Range::NotNegative, Some(4e-6)),
        word("shape", &CYCLE_SHAPES, Some("cosine")),
        Param {
            name: "three_phase",
            kind: Kind::Flag,
        },
    ],
    unlimited: Unlimited::Rest,
    first: Some(JUMPS),
};

/// Up from `from` to 1 and down again, over and over.
pub const CYCLIC: Spec = Spec {
    name: "cyclic",
    variant: "Cyclic",
    params: &[
        DURATION,
        cycle("up", true),
        cycle("down", false),
        number("from", Range::NotNegative, None),
        word("mode", &CYCLIC_MODES, Some("triangular")),
        Param {
            name: "gamma",
            kind: Kind::Optional(Range::Share),
        },
    ],
    unlimited: Unlimited::Endless,
    first: None,
};

/// Times `factor` whenever a metric stays where it is.
pub const PLATEAU: Spec = Spec {
    name: "plateau",
    variant: "Plateau",
    params: &[
        number("factor", Range::Inside, Some(0.1)),
        Param {
            name: "patience",
            kind: Kind::Epochs(10.0),
        },
        number("threshold", Range::NotNegative, Some(1e-4)),
        word("threshold_mode", &THRESHOLD_MODES, Some("relative")),
        Param {
            name: "cooldown",
            kind: Kind::Epochs(0.0),
        },
        number("min_lr", Range::NotNegative, Some(0.0)),
        Param {
            name: "on",
            kind: Kind::Metric,
        },
        word("mode", &METRIC_MODES, None),
    ],
    unlimited: Unlimited::Endless,
    first: None,
};

/// Every phase of the language.
pub const PHASES: &[&Spec] = &[
    &CONSTANT,
    &HOLD,
    &WARMUP,
    &STEP,
    &LINEAR,
    &POLYNOMIAL,
    &COSINE,
    &COSINE_RESTARTS,
    &EXPONENTIAL,
    &INVERSE_SQRT,
    &ONE_CYCLE,
    &CYCLIC,
    &PLATEAU,
];

/// What a plateau may watch by name of its own; anything else is a text.
pub const METRICS: Words = Words {
    ty: "Metric",
    words: &["validation_loss", "training_loss", "accuracy"],
    variants: &["ValidationLoss", "TrainingLoss", "Accuracy"],
};

const WARMUP_SHAPES: Words = Words {
    ty: "WarmupShape",
    words: &["linear", "constant"],
    variants: &["Linear", "Constant"],
};

const CYCLE_SHAPES: Words = Words {
    ty: "CycleShape",
    words: &["cosine", "linear"],
    variants: &["Cosine", "Linear"],
};

const CYCLIC_MODES: Words = Words {
    ty: "CyclicMode",
    words: &["triangular", "triangular2", "exp_range"],
    variants: &["Triangular", "Triangular2", "ExpRange"],
};

const THRESHOLD_MODES: Words = Words {
    ty: "ThresholdMode",
    words: &["relative", "absolute"],
    variants: &["Relative", "Absolute"],
};

const METRIC_MODES: Words = Words {
    ty: "MetricMode",
    words: &["min", "max"],
    variants: &["Min", "Max"],
};

const JUMPS: &str = "it starts at `from`, so the rate would jump back";

const fn number(name: &'static str, range: Range, default: Option<f64>) -> Param {
    Param {
        name,
        kind: Kind::Number(range, default),
    }
}

/// A length of time that comes again and again.
const fn cycle(name: &'static str, required: bool) -> Param {
    Param {
        name,
        kind: Kind::Time {
            required,
            // Less would be no cycle at all.
            least: 1.0,
        },
    }
}

const fn word(name: &'static str, words: &'static Words, default: Option<&'static str>) -> Param {
    Param {
        name,
        kind: Kind::Word(words, default),
    }
}
