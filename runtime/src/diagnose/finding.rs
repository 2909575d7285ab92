//! What a diagnosis says: symptoms, each with its evidence in numbers and the first remedy.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::svg::short;

/// What a training suffers from; what to mend first is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Symptom {
    /// The loss or the weights are not finite, or the loss ends far above where it began.
    Divergence,
    /// The training loss jumps or oscillates.
    RateTooHigh,
    /// The training loss falls along a straight line, and has not come far.
    RateTooLow,
    /// Single gradients are many times those before them.
    ExplodingGradients,
    /// Hardly any gradient reaches some weights.
    VanishingGradients,
    /// Units whose slope is 0 on every example.
    DeadUnits,
    /// The training loss stays large.
    Underfitting,
    /// The validation loss stays above the training loss, and the gap grows.
    Overfitting,
}

/// How sure a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Something else may look the same.
    Possible,
    /// The numbers are those of the symptom.
    Likely,
    /// It is what the symptom means.
    Certain,
}

/// When or where something was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In an epoch, counted from 1.
    Epoch(usize),
    /// At a step, counted from 1 through all epochs.
    Step(u64),
    /// From one step to another.
    Steps(u64, u64),
    /// At a layer or a parameter, by its path.
    Path(String),
}

/// What a number is held against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// It speaks for the symptom from this value on.
    AtLeast(f64),
    /// It speaks for the symptom up to this value.
    AtMost(f64),
}

/// A number that speaks for a symptom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is.
    pub figure: String,
    /// Its value.
    pub value: f64,
    /// What it is held against; none where it only says more.
    pub threshold: Option<Threshold>,
    /// When or where; none where it is of the whole training.
    pub at: Option<Place>,
}

/// A symptom that was found. `Display` writes it with its evidence, serde JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The symptom.
    pub symptom: Symptom,
    /// How sure that is.
    pub confidence: Confidence,
    /// The numbers that speak for it.
    pub evidence: Vec<Evidence>,
    /// What to try first.
    pub remedy: String,
}

/// A symptom that could be neither found nor excluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// The symptom.
    pub symptom: Symptom,
    /// What is missing for it.
    pub reason: String,
}

/// What [`diagnose`](super::diagnose) says of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The number of epochs it is made from.
    pub epochs: usize,
    /// The number of single steps it is made from.
    pub steps: usize,
    /// What was found, what to mend first at the front.
    pub findings: Vec<Finding>,
    /// What could not be judged.
    pub unjudged: Vec<Unjudged>,
}

impl Diagnosis {
    /// Whether nothing was found.
    pub fn is_healthy(&self) -> bool {
        self.findings.is_empty()
    }

    /// What was found of `symptom`.
    pub fn finding(&self, symptom: Symptom) -> Option<&Finding> {
        let mut findings = self.findings.iter();
        findings.find(|finding| finding.symptom == symptom)
    }
}

impl Evidence {
    /// A number that is held against `threshold`. An infinite one, of records that nobody can have, is
    /// the largest that JSON has.
    pub(super) fn held(
        figure: impl Into<String>,
        value: f64,
        threshold: Threshold,
        at: impl Into<Option<Place>>,
    ) -> Self {
        Evidence {
            figure: figure.into(),
            value: value.clamp(f64::MIN, f64::MAX),
            threshold: Some(threshold),
            at: at.into(),
        }
    }

    /// A number that says more of it.
    pub(super) fn told(
        figure: impl Into<String>,
        value: f64,
        at: impl Into<Option<Place>>,
    ) -> Self {
        Evidence {
            figure: figure.into(),
            value,
            threshold: None,
            at: at.into(),
        }
    }
}

impl fmt::Display for Symptom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Symptom::Divergence => "divergence",
            Symptom::RateTooHigh => "learning rate too high",
            Symptom::RateTooLow => "learning rate too low",
            Symptom::Underfitting => "underfitting",
            Symptom::Overfitting => "overfitting",
            Symptom::ExplodingGradients => "exploding gradients",
            Symptom::VanishingGradients => "vanishing gradients",
            Symptom::DeadUnits => "dead units",
        })
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Epoch(epoch) => write!(f, "epoch {epoch}"),
            Place::Step(step) => write!(f, "step {step}"),
            Place::Steps(from, to) => write!(f, "steps {from} to {to}"),
            Place::Path(path) => write!(f, "`{path}`"),
        }
    }
}

/// `generalisation loss 34.2 % at epoch 60 (at least 5)`
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.figure, short(self.value))?;
        if let Some(at) = &self.at {
            write!(f, ", {at}")?;
        }
        match self.threshold {
            Some(Threshold::AtLeast(least)) => write!(f, " (from {} on)", short(least)),
            Some(Threshold::AtMost(most)) => write!(f, " (up to {})", short(most)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.symptom, self.confidence)?;
        for evidence in &self.evidence {
            write!(f, "\n  - {evidence}")?;
        }
        write!(f, "\n  remedy: {}", self.remedy)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnosis { epochs, steps, .. } = self;
        match self.findings.len() {
            0 => write!(f, "no symptom")?,
            1 => write!(f, "1 symptom")?,
            many => write!(f, "{many} symptoms")?,
        }
        write!(f, " in {epochs} epochs and {steps} steps of the log")?;
        for finding in &self.findings {
            write!(f, "\n\n{finding}")?;
        }
        if !self.unjudged.is_empty() {
            f.write_str("\n\nnot judged")?;
        }
        for Unjudged { symptom, reason } in &self.unjudged {
            write!(f, "\n  - {symptom}: {reason}")?;
        }
        Ok(())
    }
}
