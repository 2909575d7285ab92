//! The rules: what in a training's records is a symptom.

mod fit;
mod gradients;
mod learning_rate;

use super::records::{Curve, Records};
use super::{Diagnosis, Finding, Symptom, Unjudged};

/// What the records of a training say of it: see the [module](super) for the rules.
///
/// The records are those of a run, `&run` or `&failure`, or [`Records`] that were read from a
/// file.
///
/// ```
/// use kiln::data::digits;
/// use kiln::diagnose::{Symptom, diagnose};
/// use kiln::prelude::*;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(64) -> relu -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! { struct Plain; update sgd(); }
/// schedule! { struct Constant; peak 0.002; constant; }
///
/// let model = NetConfig::new().init(&default_device()?)?;
/// let run = Trainer::new(model, Plain::new(), Constant::new()).epochs(6).quiet().fit(digits()?)?;
/// let diagnosis = diagnose(&run);
/// println!("{diagnosis}");
/// let finding = diagnosis.finding(Symptom::RateTooLow).unwrap();
/// assert!(finding.remedy.contains("ten times the `peak`"));
/// # Ok::<(), kiln::Error>(())
/// ```
pub fn diagnose<'a>(records: impl Into<Records<'a>>) -> Diagnosis {
    let records = records.into();
    let mut diagnosis = Diagnosis {
        epochs: records.history.len(),
        steps: records.log.len(),
        findings: Vec::new(),
        unjudged: Vec::new(),
    };
    let curve = Curve::new(&records);
    diagnosis
        .findings
        .extend(learning_rate::divergence(&records, curve.as_ref().ok()));
    match &curve {
        Ok(curve) => diagnosis.findings.extend(of_loss(&records, curve)),
        Err(reason) => {
            for symptom in [
                Symptom::RateTooHigh,
                Symptom::RateTooLow,
                Symptom::Underfitting,
            ] {
                diagnosis.miss(symptom, reason);
            }
        }
    }
    match (&curve, fit::validated(&records)) {
        (_, Err(reason)) => diagnosis.miss(Symptom::Overfitting, reason),
        (Err(reason), Ok(_)) => diagnosis.miss(Symptom::Overfitting, reason),
        (Ok(curve), Ok(gaps)) => diagnosis.findings.extend(fit::overfitting(curve, &gaps)),
    }
    if records.log.len() > gradients::BEFORE {
        diagnosis.findings.extend(gradients::exploding(&records));
    } else {
        let least = gradients::BEFORE;
        let reason = format!("needs more than {least} steps of the log; see `.log_every(..)`");
        diagnosis.miss(Symptom::ExplodingGradients, &reason);
    }
    match &curve {
        Ok(curve) => diagnosis
            .findings
            .extend(gradients::vanishing(&records, curve)),
        Err(reason) => diagnosis.miss(Symptom::VanishingGradients, reason),
    }
    diagnosis.miss(
        Symptom::DeadUnits,
        "needs the model and examples: `dead_units(&run.model, &source)?`",
    );
    diagnosis.findings.sort_by_key(|finding| finding.symptom);
    diagnosis
}

impl Diagnosis {
    fn miss(&mut self, symptom: Symptom, reason: &str) {
        let reason = reason.to_owned();
        self.unjudged.push(Unjudged { symptom, reason });
    }
}

/// Goodfellow, Bengio and Courville 2016, section 11.4: of all hyper-parameters the learning rate
/// comes first, so where it is wrong nothing else is said of the training loss.
fn of_loss(records: &Records<'_>, curve: &Curve) -> Option<Finding> {
    learning_rate::too_high(records, curve)
        .or_else(|| learning_rate::too_low(records, curve))
        .or_else(|| fit::underfitting(records, curve))
}
