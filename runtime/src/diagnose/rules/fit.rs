//! Under- and overfitting.

use super::super::records::{Curve, EPOCHS, Records};
use super::super::{Confidence, Evidence, Finding, Place, Symptom, Threshold};
use Threshold::{AtLeast, AtMost};

/// The training loss over the scale from which on it is large.
const LARGE: f64 = 0.3;
/// The share of the loss's whole fall that is left when it stagnates,
const LEFT: f64 = 0.1;
/// and the share of the training after which that is early.
const EARLY: f64 = 0.5;
/// A fall of the loss over the scale that is none.
const NO_FALL: f64 = 0.02;
/// The share of a guess's mistakes below which a classifier does not underfit.
const MISTAKES: f64 = 0.1;
/// Prechelt's α: the generalisation loss in hundredths.
const GENERALISATION: f64 = 5.0;
/// How many epochs must agree on it.
const AGREE: usize = 3;
/// The growth of the gap over the scale.
const GROWTH: f64 = 0.05;
/// The gap over the scale, and over the validation loss, that is one in itself.
const GAP: f64 = 0.15;
const GAP_SHARE: f64 = 0.5;

pub(super) fn underfitting(records: &Records<'_>, curve: &Curve) -> Option<Finding> {
    let points = &curve.points;
    let first = points.first()?.loss;
    let losses = points.iter().map(|point| point.loss);
    let best = losses.fold(f64::INFINITY, f64::min);
    let level = curve.end() / curve.scale;
    let fall = first - best;
    let near = best + LEFT * fall;
    let reached = points.iter().position(|point| point.loss <= near)?;
    let never = fall < NO_FALL * curve.scale;
    let early = if never {
        0.0
    } else {
        reached as f64 / (points.len() - 1) as f64
    };
    let mistakes = mistakes(records);
    if level < LARGE || early > EARLY || mistakes.is_some_and(|share| share < MISTAKES) {
        return None;
    }
    let at = points.get(reached).map(|point| point.at.clone());
    let mut evidence = vec![Evidence::held(
        "the training loss at the end, over its scale",
        level,
        AtLeast(LARGE),
        None,
    )];
    evidence.push(match never {
        true => Evidence::held(
            "its fall, over its scale",
            fall / curve.scale,
            AtMost(NO_FALL),
            None,
        ),
        false => Evidence::held(
            "share of the training after which nine tenths of its fall were done",
            early,
            AtMost(EARLY),
            at,
        ),
    });
    evidence.extend(mistakes.map(|share| {
        let figure = "the mistakes on the validation set, over those of a guess";
        Evidence::held(figure, share, AtLeast(MISTAKES), None)
    }));
    Some(Finding {
        symptom: Symptom::Underfitting,
        // A loss without right and wrong may be large because of noise in the targets.
        confidence: match mistakes {
            Some(_) => Confidence::Likely,
            None => Confidence::Possible,
        },
        evidence,
        remedy:
            "more units or layers; less `dropout(..)` and `weight_decay:`; where the loss never \
                 fell, a `RangeTest` and `dead_units` first"
                .to_owned(),
    })
}

/// The mistakes on the validation set over those of a guess.
pub(super) fn mistakes(records: &Records<'_>) -> Option<f64> {
    let classes = records.classes.filter(|classes| *classes > 1)? as f64;
    let accuracy = records.history.last()?.validation?.accuracy?;
    Some((1.0 - accuracy) / (1.0 - 1.0 / classes))
}

/// An epoch with a validation.
pub(super) struct Gap {
    at: Place,
    training: f64,
    validation: f64,
}

pub(super) fn validated(records: &Records<'_>) -> Result<Vec<Gap>, &'static str> {
    let epochs = records.history.iter().filter_map(|epoch| {
        Some(Gap {
            at: Place::Epoch(epoch.epoch),
            training: epoch.loss,
            validation: epoch.validation?.loss,
        })
    });
    let gaps: Vec<Gap> = epochs.collect();
    if gaps.is_empty() {
        Err("needs a validation set: `.validate(&source)`")
    } else if gaps.len() < EPOCHS {
        Err("needs 5 epochs with a validation; train longer")
    } else if gaps
        .iter()
        .any(|gap| !(gap.validation.is_finite() && gap.training.is_finite()))
    {
        Err("the validation loss is not finite")
    } else if gaps.iter().any(|gap| gap.validation <= 0.0) {
        Err("needs a validation loss above 0: overfitting is measured in shares of it")
    } else {
        Ok(gaps)
    }
}

pub(super) fn overfitting(curve: &Curve, gaps: &[Gap]) -> Option<Finding> {
    let best = gaps
        .iter()
        .min_by(|a, b| a.validation.total_cmp(&b.validation))?;
    let (first, end) = (gaps.first()?, gaps.last()?);
    let gap = |at: &Gap| at.validation - at.training;
    let late = gaps.iter().rev().take(AGREE);
    let loss = |at: &Gap| 100.0 * (at.validation / best.validation - 1.0);
    let generalisation = late.map(loss).fold(f64::INFINITY, f64::min);
    let growth = (gap(end) - gap(best)) / curve.scale;
    let rises =
        generalisation >= GENERALISATION && growth >= GROWTH && end.training <= best.training;
    let wide = gap(end) / curve.scale;
    let share = gap(end) / end.validation;
    let stays = wide >= GAP && share >= GAP_SHARE && gap(end) - gap(first) >= GROWTH * curve.scale;
    let mut evidence = Vec::new();
    if rises {
        let figure =
            format!("generalisation loss in % (Prechelt 1998), the least of {AGREE} epochs");
        evidence.push(Evidence::held(
            figure,
            generalisation,
            AtLeast(GENERALISATION),
            end.at.clone(),
        ));
        let figure = "the best validation loss";
        evidence.push(Evidence::told(figure, best.validation, best.at.clone()));
        let figure = "growth of the gap since then, over the scale of the loss";
        evidence.push(Evidence::held(
            figure,
            growth,
            AtLeast(GROWTH),
            end.at.clone(),
        ));
    }
    if stays {
        let figure = "the gap of validation to training loss, over the scale of the loss";
        evidence.push(Evidence::held(figure, wide, AtLeast(GAP), end.at.clone()));
        let figure = "the gap, over the validation loss";
        evidence.push(Evidence::held(
            figure,
            share,
            AtLeast(GAP_SHARE),
            end.at.clone(),
        ));
    }
    (rises || stays).then(|| Finding {
        symptom: Symptom::Overfitting,
        confidence: match rises && stays {
            true => Confidence::Certain,
            false => Confidence::Likely,
        },
        evidence,
        remedy: format!(
            "more examples, or augmented ones; `dropout(0.5)` before the last layer and \
             `weight_decay: 5e-4`; keep the weights of {}, where the validation loss was lowest",
            best.at
        ),
    })
}
