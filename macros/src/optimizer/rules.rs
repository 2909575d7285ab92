//! What each update rule and each other statement takes, in which range, with which default: one
//! table for the compiler and for the running program.
//!
//! `kiln` compiles this very file too, as `kiln::optim::rules` (see `__optimizer_rules!`). So a
//! rule is written once: it is decided while compiling where a number is known, and by
//! `Recipe::check` where it comes from a hyper-parameter. The file uses the standard library alone.

/// Something that a statement may say: an update rule, a way of clipping. An entry here, and a
/// variant of an enum in `kiln::optim`.
#[derive(Debug)]
pub struct Spec {
    /// The word of the language.
    pub name: &'static str,
    /// The variant; its fields are named as the parameters.
    pub variant: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// How many of them, from the first, may be written without their key.
    pub positional: usize,
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name, in the language and in the variant.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// What a parameter is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A number, required where it has no default.
    Number(Range, Option<f64>),
    /// A whole number, at least 1, and its default.
    Count(u64),
    /// `true` or `false`.
    Flag {
        /// What holds where it is left out.
        default: bool,
        /// A number that has to be above 0 where the flag is on.
        needs: Option<&'static str>,
    },
    /// One of some words.
    Word {
        /// The enum of `kiln::optim` that the words are the variants of.
        of: &'static str,
        /// The words and their variants; the first is the default.
        words: &'static [(&'static str, &'static str)],
    },
    /// A moment or a length of time, always required.
    Time,
}

/// The range of a number. Burn keeps these numbers in single precision, so they are looked at
/// there: 0.999999999 would be a momentum of 1, and 1e-50 an epsilon of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// [0, 1)
    Fraction,
    /// (0, 1]
    Share,
    /// (0, ∞)
    Positive,
    /// [0, ∞)
    NonNegative,
    /// (-∞, 0)
    Negative,
}

impl Range {
    /// Whether `value` lies in it.
    pub fn holds(self, value: f64) -> bool {
        let value = value as f32;
        value.is_finite()
            && match self {
                Range::Fraction => (0.0..1.0).contains(&value),
                Range::Share => value > 0.0 && value <= 1.0,
                Range::Positive => value > 0.0,
                Range::NonNegative => value >= 0.0,
                Range::Negative => value < 0.0,
            }
    }

    /// The range in words.
    pub fn described(self) -> &'static str {
        match self {
            Range::Fraction => "at least 0 and below 1",
            Range::Share => "above 0 and at most 1",
            Range::Positive => "above 0 and finite",
            Range::NonNegative => "at least 0 and finite",
            Range::Negative => "below 0 and finite",
        }
    }
}

/// What `lr: 10x` may be: the learning rate of a rule, as a multiple of the schedule's.
pub const LR: Range = Range::Positive;

/// A statement other than `update` and `switch`: `keyword choice(..);`
#[derive(Debug)]
pub struct Statement {
    /// The word that it begins with, which is also the field of `kiln::optim::Recipe`.
    pub keyword: &'static str,
    /// The enum of `kiln::optim` that its choices are the variants of.
    pub of: &'static str,
    /// What a choice is, for messages.
    pub what: &'static str,
    /// What it may say. Those of one inner list exclude each other.
    pub choices: &'static [&'static [&'static Spec]],
    /// What is wrong with a second one.
    pub twice: &'static str,
}

impl Statement {
    /// Everything that it may say.
    pub fn specs(&self) -> impl Iterator<Item = &'static Spec> {
        self.choices.iter().flat_map(|group| group.iter().copied())
    }
}

const fn param(name: &'static str, kind: Kind) -> Param {
    Param { name, kind }
}

const fn number(name: &'static str, range: Range, default: f64) -> Param {
    param(name, Kind::Number(range, Some(default)))
}

const fn required(name: &'static str, range: Range) -> Param {
    param(name, Kind::Number(range, None))
}

const fn flag(name: &'static str, default: bool) -> Param {
    let needs = None;
    param(name, Kind::Flag { default, needs })
}

const WEIGHT_DECAY: Param = number("weight_decay", Range::NonNegative, 0.0);

const NESTEROV: Param = param(
    "nesterov",
    Kind::Flag {
        default: false,
        needs: Some("momentum"),
    },
);

/// Stochastic gradient descent.
pub const SGD: Spec = Spec {
    name: "sgd",
    variant: "Sgd",
    params: &[
        number("momentum", Range::Fraction, 0.0),
        NESTEROV,
        WEIGHT_DECAY,
    ],
    positional: 0,
};

const AMSGRAD: Param = flag("amsgrad", false);

/// Adam.
pub const ADAM: Spec = Spec {
    name: "adam",
    variant: "Adam",
    params: &[
        number("beta_1", Range::Fraction, 0.9),
        number("beta_2", Range::Fraction, 0.999),
        number("epsilon", Range::Positive, 1e-8),
        WEIGHT_DECAY,
        AMSGRAD,
    ],
    positional: 0,
};

/// Adam with decoupled weight decay.
pub const ADAMW: Spec = Spec {
    name: "adamw",
    variant: "AdamW",
    params: &[
        number("beta_1", Range::Fraction, 0.9),
        number("beta_2", Range::Fraction, 0.999),
        number("epsilon", Range::Positive, 1e-8),
        number("weight_decay", Range::NonNegative, 0.01),
        AMSGRAD,
    ],
    positional: 0,
};

/// AdaGrad.
pub const ADAGRAD: Spec = Spec {
    name: "adagrad",
    variant: "AdaGrad",
    params: &[
        number("lr_decay", Range::NonNegative, 0.0),
        number("epsilon", Range::Positive, 1e-10),
        WEIGHT_DECAY,
    ],
    positional: 0,
};

/// RMSProp.
pub const RMSPROP: Spec = Spec {
    name: "rmsprop",
    variant: "RmsProp",
    params: &[
        number("alpha", Range::Fraction, 0.99),
        number("momentum", Range::Fraction, 0.0),
        flag("centered", false),
        number("epsilon", Range::Positive, 1e-8),
        WEIGHT_DECAY,
    ],
    positional: 0,
};

/// Adafactor.
pub const ADAFACTOR: Spec = Spec {
    name: "adafactor",
    variant: "Adafactor",
    params: &[
        number("decay_rate", Range::Negative, -0.8),
        number("clip_threshold", Range::Positive, 1.0),
        flag("relative_step", true),
        flag("scale_parameter", true),
        number("epsilon_1", Range::Positive, 1e-30),
        number("epsilon_2", Range::Positive, 1e-3),
        WEIGHT_DECAY,
    ],
    positional: 0,
};

/// Adaptive Nesterov momentum.
pub const ADAN: Spec = Spec {
    name: "adan",
    variant: "Adan",
    params: &[
        number("beta_1", Range::Fraction, 0.98),
        number("beta_2", Range::Fraction, 0.92),
        number("beta_3", Range::Fraction, 0.99),
        number("epsilon", Range::Positive, 1e-8),
        WEIGHT_DECAY,
    ],
    positional: 0,
};

/// Layer-wise adaptive moments.
pub const LAMB: Spec = Spec {
    name: "lamb",
    variant: "Lamb",
    params: &[
        number("beta_1", Range::Fraction, 0.9),
        number("beta_2", Range::Fraction, 0.999),
        number("epsilon", Range::Positive, 1e-6),
        number("weight_decay", Range::NonNegative, 0.01),
    ],
    positional: 0,
};

/// Sign momentum, found by a search over programs.
pub const LION: Spec = Spec {
    name: "lion",
    variant: "Lion",
    params: &[
        number("beta_1", Range::Fraction, 0.9),
        number("beta_2", Range::Fraction, 0.99),
        WEIGHT_DECAY,
    ],
    positional: 0,
};

/// Momentum, made orthogonal.
pub const MUON: Spec = Spec {
    name: "muon",
    variant: "Muon",
    params: &[
        number("momentum", Range::Fraction, 0.95),
        flag("nesterov", true),
        number("weight_decay", Range::NonNegative, 0.1),
        param("steps", Kind::Count(5)),
        param(
            "adjust_lr",
            Kind::Word {
                of: "AdjustLr",
                words: &[
                    ("original", "Original"),
                    ("match_rms_adamw", "MatchRmsAdamW"),
                ],
            },
        ),
    ],
    positional: 0,
};

/// Layer-wise adaptive rates.
pub const LARS: Spec = Spec {
    name: "lars",
    variant: "Lars",
    params: &[
        number("momentum", Range::Fraction, 0.9),
        NESTEROV,
        WEIGHT_DECAY,
        number("trust_coefficient", Range::Positive, 0.001),
        flag("clip", false),
    ],
    positional: 0,
};

/// Descent by signs.
pub const SIGN: Spec = Spec {
    name: "sign",
    variant: "Sign",
    params: &[number("momentum", Range::Fraction, 0.0), WEIGHT_DECAY],
    positional: 0,
};

/// Steepest descent under a norm.
pub const STEEPEST: Spec = Spec {
    name: "steepest",
    variant: "Steepest",
    params: &[
        param(
            "norm",
            Kind::Word {
                of: "Norm",
                words: &[("l2", "L2"), ("l1", "L1"), ("linf", "Linf")],
            },
        ),
        flag("normalized", true),
    ],
    positional: 0,
};

/// Limited-memory BFGS, which evaluates the loss itself and stands alone.
pub const LBFGS: Spec = Spec {
    name: "lbfgs",
    variant: "Lbfgs",
    params: &[
        param("history_size", Kind::Count(100)),
        param("max_iter", Kind::Count(20)),
        param(
            "line_search",
            Kind::Word {
                of: "LineSearch",
                words: &[("none", "None"), ("strong_wolfe", "StrongWolfe")],
            },
        ),
        number("tolerance_grad", Range::NonNegative, 1e-7),
        number("tolerance_change", Range::NonNegative, 1e-9),
    ],
    positional: 0,
};

/// Truncated Newton with conjugate gradients, which evaluates the loss itself and stands alone.
pub const NEWTON_CG: Spec = Spec {
    name: "newton_cg",
    variant: "NewtonCg",
    params: &[
        param("products", Kind::Count(20)),
        number("damping", Range::NonNegative, 1e-3),
        param(
            "curvature",
            Kind::Word {
                of: "CurvatureMatrix",
                words: &[("hessian", "Hessian"), ("gauss_newton", "GaussNewton")],
            },
        ),
    ],
    positional: 0,
};

/// The rules that evaluate the loss several times a step: nothing stands beside them.
pub const ALONE: &[&Spec] = &[&LBFGS, &NEWTON_CG];

/// Every update rule. The defaults are PyTorch's where it has the rule, and the paper's elsewhere.
pub const UPDATES: &[&Spec] = &[
    &SGD, &ADAM, &ADAMW, &ADAGRAD, &RMSPROP, &ADAFACTOR, &ADAN, &LAMB, &LION, &MUON, &LARS, &SIGN,
    &STEEPEST, &LBFGS, &NEWTON_CG,
];

/// All gradients together.
pub const GLOBAL_NORM: Spec = Spec {
    name: "global_norm",
    variant: "GlobalNorm",
    params: &[required("max_norm", Range::Positive)],
    positional: 1,
};

/// Gaussian noise on the gradient.
pub const GAUSSIAN: Spec = Spec {
    name: "gaussian",
    variant: "Gaussian",
    params: &[
        required("eta", Range::Positive),
        number("gamma", Range::NonNegative, 0.55),
    ],
    positional: 0,
};

/// Sharpness-aware minimisation.
pub const SAM: Spec = Spec {
    name: "sam",
    variant: "Sam",
    params: &[number("rho", Range::Positive, 0.05)],
    positional: 0,
};

/// Adaptive sharpness-aware minimisation.
pub const ASAM: Spec = Spec {
    name: "asam",
    variant: "Asam",
    params: &[
        number("rho", Range::Positive, 0.5),
        number("eta", Range::NonNegative, 0.01),
    ],
    positional: 0,
};

/// Slow weights that follow the fast ones.
pub const LOOKAHEAD: Spec = Spec {
    name: "lookahead",
    variant: "Lookahead",
    params: &[
        param("k", Kind::Count(5)),
        number("alpha", Range::Share, 0.5),
    ],
    positional: 0,
};

/// The exponential moving average of the weights.
pub const EMA: Spec = Spec {
    name: "ema",
    variant: "Ema",
    params: &[required("decay", Range::Fraction)],
    positional: 0,
};

/// The mean of the weights at some moments.
pub const SWA: Spec = Spec {
    name: "swa",
    variant: "Swa",
    params: &[param("from", Kind::Time), param("every", Kind::Time)],
    positional: 0,
};

/// Every statement but `update` and `switch`.
pub const STATEMENTS: &[Statement] = &[
    Statement {
        keyword: "clip",
        of: "Clip",
        what: "way of clipping",
        choices: &[&[&GLOBAL_NORM]],
        twice: "gradients are clipped twice; keep one `clip`",
    },
    Statement {
        keyword: "noise",
        of: "Noise",
        what: "kind of noise",
        choices: &[&[&GAUSSIAN]],
        twice: "noise is added twice; keep one `noise`",
    },
    Statement {
        keyword: "sharpness",
        of: "Sharpness",
        what: "way of minimising sharpness",
        choices: &[&[&SAM, &ASAM]],
        twice: "sharpness is minimised twice; keep one `sharpness`",
    },
    Statement {
        keyword: "average",
        of: "Average",
        what: "kind of average",
        choices: &[&[&EMA, &SWA], &[&LOOKAHEAD]],
        twice: "a second average of this kind; keep one `lookahead` at most, and one of `ema` and `swa`",
    },
];

impl Spec {
    /// Its parameter of that name.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

impl Param {
    /// Whether it cannot be left out.
    pub fn required(&self) -> bool {
        matches!(self.kind, Kind::Number(_, None) | Kind::Time)
    }

    /// The number that it is where it is left out, if it is a number.
    pub fn default(&self) -> Option<f64> {
        match self.kind {
            Kind::Number(_, default) => default,
            _ => None,
        }
    }
}

/// Whether the whole of `path` is `pattern` with something for each `*`.
///
/// Where `path` is a pattern too, its stars are letters that only a star matches: then this says
/// whether all that `path` matches is matched by `pattern`.
pub fn matches(pattern: &str, path: &str) -> bool {
    let Some((start, mut pattern)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(mut path) = path.strip_prefix(start) else {
        return false;
    };
    while let Some((part, rest)) = pattern.split_once('*') {
        let Some(at) = path.find(part) else {
            return false;
        };
        path = &path[at + part.len()..];
        pattern = rest;
    }
    path.ends_with(pattern)
}
