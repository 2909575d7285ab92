//! What the arguments of a phase must satisfy, alone, together and along the chain: one set of rules
//! for the compiler and for the running program.
//!
//! `kiln` compiles this very file and `phases.rs` too, as modules of `kiln::schedule` (see
//! `__schedule_rules!`). So a rule is written once: it is decided while compiling where a number
//! is a literal, and by `Plan::over` where it comes from a hyper-parameter, in the same words. The
//! files use the standard library alone.

/// A phase of the language: an entry in `phases` and a variant of `kiln::schedule::Phase`.
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
    /// Another length of time, of `least` steps or more; an `Option` where it is not required.
    Time { required: bool, least: f64 },
    /// Whole epochs, 0 too, with a default.
    Epochs(f64),
    /// Moments counted from the start of training, always required.
    Moments,
    /// A number, required where it has no default.
    Number(Range, Option<f64>),
    /// A number that need not be there: an `Option`.
    Optional(Range),
    /// One of some words; an `Option` where none of them is the default.
    Word(&'static Words, Option<&'static str>),
    /// `true` or `false`; false where it is left out.
    Flag,
    /// A metric: one of `phases::METRICS`, the first where it is left out, or a text.
    Metric,
}

/// The words that a parameter may be.
#[derive(Debug)]
pub struct Words {
    /// The type in `kiln::schedule`.
    pub ty: &'static str,
    /// The words of the language.
    pub words: &'static [&'static str],
    /// The variant of the type for each of them.
    pub variants: &'static [&'static str],
}

/// What is known of an argument by the time that it is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    /// There is none.
    Absent,
    /// A number.
    Number(f64),
    /// One of the words of the language; `true` and `false` too.
    Word(&'static str),
    /// A text.
    Text,
    /// Something that only a running program knows.
    Unknown,
}

/// The numbers that a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// (0, 1]
    Share,
    /// (0, 1)
    Inside,
    /// [0, ∞)
    NotNegative,
    /// (0, ∞)
    Positive,
    /// [1, ∞)
    AtLeastOne,
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

impl Spec {
    /// Whether `param` cannot be left out.
    pub fn requires(&self, param: &Param) -> bool {
        match param.kind {
            Kind::Duration => self.unlimited == Unlimited::Never,
            Kind::Moments => true,
            Kind::Time { required, .. } => required,
            Kind::Number(_, default) => default.is_none(),
            Kind::Epochs(_) | Kind::Optional(_) | Kind::Word(..) | Kind::Flag | Kind::Metric => {
                false
            }
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
            Range::Inside => (value > 0.0 && value < 1.0, "above 0 and below 1"),
            Range::NotNegative => (value >= 0.0, "0 or more"),
            Range::Positive => (value > 0.0, "above 0"),
            Range::AtLeastOne => (value >= 1.0, "1 or more"),
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

/// What is wrong with `value` as the whole epochs `name`.
pub fn whole_epochs(name: &str, unit: Unit, value: f64) -> Result<(), String> {
    let found = unit.show(value);
    if unit != Unit::Epochs {
        Err(format!(
            "`{name}` counts epochs, because a metric is observed once an epoch: `10 epochs`, found {found}"
        ))
    } else if value < 0.0 || value.fract() != 0.0 || !value.is_finite() {
        Err(format!(
            "`{name}` counts whole epochs, because a metric is observed once an epoch; found {found}"
        ))
    } else {
        Ok(())
    }
}

/// What is wrong with a time of `steps` as `name`, of which `least` are needed.
pub fn long_enough(name: &str, least: f64, steps: f64) -> Result<(), String> {
    if steps >= least {
        return Ok(());
    }
    Err(format!(
        "`{name}` must be at least {}, found {}",
        Unit::Steps.show(least),
        Unit::Steps.show(steps),
    ))
}

/// What is wrong between the arguments of a phase, which is the `first` or not: the parameter that
/// is at fault, and why.
pub fn together(
    spec: &Spec,
    first: bool,
    known: &dyn Fn(&str) -> Known,
) -> Option<(&'static str, String)> {
    let word = |name: &str, wanted: &'static str| known(name) == Known::Word(wanted);
    let absent = |name: &str| known(name) == Known::Absent;
    match spec.name {
        "warmup" if word("shape", "constant") && absent("from") => Some((
            "shape",
            "`shape: constant` needs `from`, the factor that it keeps: `from: 0.1`".into(),
        )),
        "inverse_sqrt" if first && absent("timescale") => Some((
            "timescale",
            "no phase stands before this `inverse_sqrt` to take the time scale from: \
             `inverse_sqrt(timescale: 4000 steps)`"
                .into(),
        )),
        "one_cycle" if word("three_phase", "true") => match known("up") {
            Known::Number(up) if up >= 0.5 => Some((
                "up",
                format!(
                    "`up` must be below 0.5 with `three_phase`, found {up}: the way down to `from` \
                     takes as long as the way up"
                ),
            )),
            _ => None,
        },
        "cyclic" if word("mode", "exp_range") && absent("gamma") => Some((
            "mode",
            "`mode: exp_range` needs `gamma`, the factor of each step: `gamma: 0.9999`".into(),
        )),
        "cyclic" if !absent("gamma") => match known("mode") {
            Known::Word(mode) if mode != "exp_range" => Some((
                "gamma",
                format!("`gamma` belongs to `mode: exp_range`, found `mode: {mode}`"),
            )),
            _ => None,
        },
        "plateau" if !word("threshold_mode", "absolute") && smaller_is_better(known) => {
            match known("threshold") {
                Known::Number(threshold) if threshold >= 1.0 => Some((
                    "threshold",
                    format!(
                        "`threshold` must be below 1, found {threshold}: it is a share of the best \
                         value, and nothing above 0 would be better; `threshold_mode: absolute` \
                         makes it a difference"
                    ),
                )),
                _ => None,
            }
        }
        "plateau" if known("on") == Known::Text && absent("mode") => Some((
            "on",
            "a metric of your own needs its `mode`: `min` if less of it is better, `max` if more is"
                .into(),
        )),
        _ => None,
    }
}

/// Whether less of what a plateau watches is better, as far as that is known.
fn smaller_is_better(known: &dyn Fn(&str) -> Known) -> bool {
    match known("mode") {
        Known::Absent => {
            matches!(known("on"), Known::Absent | Known::Word(_))
                && known("on") != Known::Word("accuracy")
        }
        mode => mode == Known::Word("min"),
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
