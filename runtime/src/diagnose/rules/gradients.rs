//! Exploding and vanishing gradients.

use super::super::records::{Curve, Records, median};
use super::super::{Confidence, Evidence, Finding, Place, Symptom, Threshold};
use Threshold::{AtLeast, AtMost};

/// A gradient over the median of so many before it, and over the first.
const BURST: f64 = 100.0;
pub(super) const BEFORE: usize = 20;
const BURST_OF_FIRST: f64 = 10.0;
/// The last gradients over the first.
const FADED: f64 = 1e-3;
/// The largest trust ratio over the median one.
const SPREAD: f64 = 1e4;
/// The loss over the scale above which hardly anything was learned.
const HALF: f64 = 0.5;

/// Pascanu, Mikolov and Bengio 2013: cliffs show as single gradients of another order.
pub(super) fn exploding(records: &Records<'_>) -> Option<Finding> {
    let log = records.log;
    let infinite = log
        .iter()
        .filter(|record| !record.gradient_norm.is_finite());
    let count = infinite.clone().count();
    if let Some(record) = infinite.clone().next() {
        let at = Place::Step(record.step);
        return Some(Finding {
            symptom: Symptom::ExplodingGradients,
            confidence: Confidence::Certain,
            evidence: vec![Evidence::told(
                "logged gradients that are not finite",
                count as f64,
                at,
            )],
            remedy: "`clip global_norm(1.0)`, or a tenth of the `peak`".to_owned(),
        });
    }
    let first = log.first()?.gradient_norm;
    let mut worst: Option<(f64, f64, u64)> = None;
    for (at, record) in log.iter().enumerate().skip(BEFORE) {
        let before = median(
            log[at - BEFORE..at]
                .iter()
                .map(|record| record.gradient_norm),
        )?;
        // After a gradient of 0 any other is infinitely many times as large.
        let over = record.gradient_norm / before.max(f64::MIN_POSITIVE);
        let burst = over >= BURST && record.gradient_norm >= BURST_OF_FIRST * first;
        if burst && worst.is_none_or(|(most, ..)| over > most) {
            worst = Some((over, before, record.step));
        }
    }
    let (over, before, step) = worst?;
    let remedy = if before > 0.0 {
        // One significant digit is enough to write.
        let norm = format!("{before:.0e}").parse().unwrap_or(before);
        format!("`clip global_norm({norm})`, which is their usual norm; or a lower `peak`")
    } else {
        "`clip global_norm(1.0)`; or a lower `peak`".to_owned()
    };
    Some(Finding {
        symptom: Symptom::ExplodingGradients,
        confidence: Confidence::Likely,
        evidence: vec![Evidence::held(
            format!("the norm of the gradient, over the median of the {BEFORE} logged before"),
            over,
            AtLeast(BURST),
            Place::Step(step),
        )],
        remedy,
    })
}

pub(super) fn vanishing(records: &Records<'_>, curve: &Curve) -> Option<Finding> {
    let level = curve.end() / curve.scale;
    if level < HALF {
        // Where the loss is small, so is its gradient.
        return None;
    }
    let mut evidence = Vec::new();
    let quarter = records.log.len() / 4;
    if quarter >= 5 {
        let norms = |part: &[_]| {
            let part = part
                .iter()
                .map(|record: &crate::train::StepRecord| record.gradient_norm);
            median(part)
        };
        let first = norms(&records.log[..quarter])?;
        let last = norms(&records.log[records.log.len() - quarter..])?;
        if first.is_finite() && last <= FADED * first {
            let figure =
                "the median norm of the last quarter's gradients, over that of the first's";
            evidence.push(Evidence::held(
                figure,
                last / first.max(f64::MIN_POSITIVE),
                AtMost(FADED),
                None,
            ));
        }
    }
    let mut ratios = records.history.iter().rev();
    if let Some(epoch) = ratios.find(|epoch| !epoch.trust_ratios.is_empty()) {
        // A bias begins at 0, so that its ratio says nothing of its gradient.
        let weights = || {
            let all = epoch.trust_ratios.iter();
            all.filter(|(path, ratio)| path.ends_with("weight") && **ratio > 0.0)
        };
        let usual = median(weights().map(|(_, ratio)| *ratio))?;
        for (path, ratio) in weights().filter(|(_, ratio)| **ratio >= SPREAD * usual) {
            let figure = format!(
                "‖w‖/‖∇L‖ in epoch {}, over the median of all weights'",
                epoch.epoch
            );
            let at = Place::Path(path.clone());
            evidence.push(Evidence::held(figure, ratio / usual, AtLeast(SPREAD), at));
        }
        let before = records
            .history
            .iter()
            .take_while(|one| one.epoch < epoch.epoch);
        let known = before.flat_map(|one| one.trust_ratios.keys());
        let mut lost: Vec<_> = known
            .filter(|path| !epoch.trust_ratios.contains_key(*path))
            .collect();
        lost.sort();
        lost.dedup();
        for path in lost {
            let figure = format!(
                "the gradient in epoch {}, which was not 0 before",
                epoch.epoch
            );
            evidence.push(Evidence::held(
                figure,
                0.0,
                AtMost(0.0),
                Place::Path(path.clone()),
            ));
        }
    }
    if evidence.is_empty() {
        return None;
    }
    let figure = "the training loss at the end, over its scale";
    evidence.push(Evidence::held(figure, level, AtLeast(HALF), None));
    Some(Finding {
        symptom: Symptom::VanishingGradients,
        confidence: Confidence::Likely,
        evidence,
        remedy: "`relu` in place of `sigmoid` and `tanh`, `batch_norm` before it, or `residual` \
                 around pairs of layers"
            .to_owned(),
    })
}
