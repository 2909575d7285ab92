//! What each phase takes, and what its numbers must satisfy: one table for the compiler and for
//! the running program.
//!
//! `kiln` compiles this very file too, as `kiln::schedule::rules` (see `__schedule_rules!`). So
//! a rule is written once: it is decided while compiling where a number is a literal, and by
//! `Plan::over` where it comes from a hyper-parameter, in the same words. The file uses the
//! standard library alone.

/// A phase of the language: an entry here and a variant of `kiln::schedule::Phase`.
#[derive(Debug)]
pub struct Spec {
    /// The word of the language.
    pub name: &'static str,
    /// The variant of `kiln::schedule::Phase`; its fields are named as the parameters.
    pub variant: &'static str,
    /// Its parameters; a duration comes first and may be written without its key.
    pub params: &'static [Param],
    /// How long it lasts where no duration is given.
    pub unlimited: Unlimited,
    /// Whether it can only be the first phase, and why.
    pub first: Option<&'static str>,
}

/// A parameter of a phase.
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
    /// How long the phase lasts. Required where [`Unlimited::Never`] says so.
    Duration,
    /// A length of time, always required.
    Period,
    /// Moments counted from the start of training, always required.
    Moments,
    /// A number, required where it has no default.
    Number(Range, Option<f64>),
}

/// The numbers that a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// (0, 1]
    Share,
    /// [0, ∞)
    NotNegative,
    /// (0, ∞)
    Positive,
}

/// How long a phase lasts that was given no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlimited {
    /// It must be given one.
    Never,
    /// Until the end of training.
    Rest,
    /// For ever.
    Endless,
}

/// What time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Steps of the optimizer.
    Steps,
    /// Passes over the data.
    Epochs,
    /// Hundredths of the training.
    Percent,
}

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

/// Linear from `from` to 1.
pub const WARMUP: Spec = Spec {
    name: "warmup",
    variant: "Warmup",
    params: &[DURATION, number("from", Range::NotNegative, Some(0.0))],
    unlimited: Unlimited::Never,
    first: Some("it starts at `from`, so the rate would jump back"),
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

/// Half a cosine from 1 to `to`.
pub const COSINE: Spec = Spec {
    name: "cosine",
    variant: "Cosine",
    params: &[DURATION, number("to", Range::NotNegative, Some(0.0))],
    unlimited: Unlimited::Rest,
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
            kind: Kind::Period,
        },
    ],
    unlimited: Unlimited::Endless,
    first: None,
};

/// Every phase of the language.
pub const PHASES: &[&Spec] = &[&CONSTANT, &WARMUP, &STEP, &LINEAR, &COSINE, &EXPONENTIAL];

const fn number(name: &'static str, range: Range, default: Option<f64>) -> Param {
    Param {
        name,
        kind: Kind::Number(range, default),
    }
}

impl Spec {
    /// Whether `param` cannot be left out.
    pub fn requires(&self, param: &Param) -> bool {
        match param.kind {
            Kind::Duration => self.unlimited == Unlimited::Never,
            Kind::Period | Kind::Moments => true,
            Kind::Number(_, default) => default.is_none(),
        }
    }

    /// Why no phase may follow this one when it has no duration.
    fn lasts(&self) -> String {
        let name = self.name;
        let until = match self.unlimited {
            Unlimited::Rest => "until the end of training",
            Unlimited::Never | Unlimited::Endless => "for ever",
        };
        if self
            .params
            .iter()
            .any(|param| matches!(param.kind, Kind::Duration))
        {
            format!(
                "`{name}` lasts {until} because it has no duration; give it one, or make it the last phase"
            )
        } else {
            format!("`{name}` lasts {until}; make it the last phase")
        }
    }
}

impl Range {
    /// What is wrong with `value` for the parameter `name`.
    pub fn check(self, name: &str, value: f64) -> Result<(), String> {
        let (fits, wanted) = match self {
            Range::Share => (value > 0.0 && value <= 1.0, "above 0 and at most 1"),
            Range::NotNegative => (value >= 0.0, "0 or more"),
            Range::Positive => (value > 0.0, "above 0"),
        };
        if fits && value.is_finite() {
            Ok(())
        } else if value.is_finite() {
            Err(format!("`{name}` must be {wanted}, found {value}"))
        } else {
            Err(format!(
                "`{name}` must be a finite number, {wanted}; found {value}"
            ))
        }
    }
}

impl Unit {
    /// `5 epochs`, `1 step`, `10 %`
    pub fn show(self, value: f64) -> String {
        match (self, value == 1.0) {
            (Unit::Steps, true) => "1 step".into(),
            (Unit::Steps, false) => format!("{value} steps"),
            (Unit::Epochs, true) => "1 epoch".into(),
            (Unit::Epochs, false) => format!("{value} epochs"),
            (Unit::Percent, _) => format!("{value} %"),
        }
    }

    /// What is wrong with `value` as the duration, period or moment `name`.
    pub fn check(self, name: &str, value: f64) -> Result<(), String> {
        let found = self.show(value);
        if !value.is_finite() {
            Err(format!(
                "`{name}` must be a finite time above 0, found {found}"
            ))
        } else if value <= 0.0 {
            Err(format!("`{name}` must be above 0, found {found}"))
        } else if self == Unit::Percent && value > 100.0 {
            Err(format!(
                "`{name}` must be at most 100 % of training, found {found}"
            ))
        } else {
            Ok(())
        }
    }
}

/// What is wrong with the moment `next`, which stands behind `last`.
pub fn rises(last: (f64, &str), next: (f64, &str)) -> Result<(), String> {
    let ((before, last), (after, next)) = (last, next);
    if after > before {
        Ok(())
    } else if after == before {
        Err(format!("`at` names {next} twice"))
    } else {
        Err(format!("`at` must rise, but {next} stands behind {last}"))
    }
}

/// What is wrong with a moment `at` of the phase `name` that begins at `start`; both in one unit.
pub fn reached(name: &str, start: (f64, &str), at: (f64, &str)) -> Result<(), String> {
    let ((begins, start), (moment, at)) = (start, at);
    if moment >= begins {
        return Ok(());
    }
    Err(format!(
        "{at} lies before this `{name}` begins, at {start}; moments count from the start of training",
    ))
}

/// What is wrong with the order of phases, each with whether it has a duration: the place in the
/// chain, and why.
pub fn order(chain: &[(&Spec, bool)]) -> Vec<(usize, String)> {
    let mut wrong = Vec::new();
    let mut endless: Option<&Spec> = None;
    for (place, (spec, limited)) in chain.iter().enumerate() {
        let name = spec.name;
        if let Some(endless) = endless {
            wrong.push((
                place,
                format!("`{name}` is never reached: {}", endless.lasts()),
            ));
        } else if let (Some(why), true) = (spec.first, place > 0) {
            wrong.push((
                place,
                format!("`{name}` can only be the first phase: {why}"),
            ));
        }
        if endless.is_none() && !limited && spec.unlimited != Unlimited::Never {
            endless = Some(spec);
        }
    }
    wrong
}
