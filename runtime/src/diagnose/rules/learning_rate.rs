//! Rates that are too high or too low, and where they end: divergence.

use super::super::records::{Curve, Records};
use super::super::{Confidence, Evidence, Finding, Place, Symptom, Threshold};
use super::fit;
use Threshold::AtLeast;

/// A loss this many times what it began with is no noise.
const JUMP: f64 = 1.5;
/// A rise from one point of the curve to the next, over the scale, that counts,
const RISE: f64 = 0.05;
/// by at least so many of its standard errors,
const ERRORS: f64 = 3.0;
/// and the share of the points that rise so much.
const RISING: f64 = 0.25;
/// The loss at the end over that of a guess that is worse than guessing,
const WORSE: f64 = 1.1;
/// and the mistakes over those of a guess.
const GUESSING: f64 = 0.5;
/// The loss over the scale above which hardly anything was learned.
const HALF: f64 = 0.5;
/// The coefficient of determination of a straight line,
const STRAIGHT: f64 = 0.9;
/// and the slope of its second half over that of the first.
const UNBENT: f64 = 0.5;

pub(super) fn divergence(records: &Records<'_>, curve: Option<&Curve>) -> Option<Finding> {
    let losses = records.history.iter();
    let epoch = losses.map(|epoch| (Place::Epoch(epoch.epoch), epoch.loss));
    let log = records.log.iter();
    let steps = log.map(|record| (Place::Step(record.step), record.loss));
    let infinite = steps.chain(epoch).find(|(_, loss)| !loss.is_finite());
    let certain = |evidence| Finding {
        symptom: Symptom::Divergence,
        confidence: Confidence::Certain,
        evidence: vec![evidence],
        remedy: "a tenth of the `peak`, found by a `RangeTest`; then `warmup(5 %)` before the \
                 first phase and `clip global_norm(1.0)`; look for bad values in the data"
            .to_owned(),
    };
    if let Some((at, loss)) = infinite {
        // JSON has no number that is not finite.
        let figure = format!("finite losses before one that is {loss}");
        let before = records
            .history
            .iter()
            .filter(|epoch| epoch.loss.is_finite())
            .count();
        return Some(certain(Evidence::told(figure, before as f64, at)));
    }
    if let Some(error) = &records.diverged {
        let figure = format!("{error}; epochs finished before");
        let epochs = records.history.len();
        return Some(certain(Evidence::told(figure, epochs as f64, None)));
    }
    let curve = curve.filter(|curve| curve.end() >= JUMP * curve.start)?;
    let figure = "the training loss at the end, over the loss at the start";
    let at = curve.points.last().map(|point| point.at.clone());
    Some(Finding {
        confidence: Confidence::Likely,
        ..certain(Evidence::held(
            figure,
            curve.end() / curve.start,
            AtLeast(JUMP),
            at,
        ))
    })
}

pub(super) fn too_high(records: &Records<'_>, curve: &Curve) -> Option<Finding> {
    let mut evidence = Vec::new();
    let mut confidence = Confidence::Likely;
    let highest = curve
        .points
        .iter()
        .max_by(|a, b| a.loss.total_cmp(&b.loss))?;
    // The rise may be over before the first loss that is known.
    let began = if curve.from_first_step {
        curve.start
    } else {
        curve.scale
    };
    if highest.loss >= JUMP * began {
        let figure = match curve.from_first_step {
            true => "the highest training loss, over the loss at the start",
            false => "the highest training loss, over that of a guess",
        };
        let at = highest.at.clone();
        evidence.push(Evidence::held(
            figure,
            highest.loss / began,
            AtLeast(JUMP),
            at,
        ));
        if !curve.from_first_step {
            confidence = Confidence::Possible;
        }
    }
    let pairs = curve.points.windows(2);
    let rises = pairs.filter_map(|pair| match pair {
        [a, b] => {
            let rise = b.loss - a.loss;
            let noise = ERRORS * a.error.hypot(b.error);
            (rise >= RISE * curve.scale && rise >= noise).then_some((rise, &b.at))
        }
        _ => None,
    });
    let rises: Vec<_> = rises.collect();
    let share = rises.len() as f64 / (curve.points.len() - 1) as f64;
    if rises.len() > 1 && share >= RISING {
        let figure = format!(
            "share of the times at which the training loss rose by {} % of its scale or more",
            100.0 * RISE
        );
        evidence.push(Evidence::held(figure, share, AtLeast(RISING), None));
        if let Some((rise, at)) = rises.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
            evidence.push(Evidence::told("the largest rise", *rise, (*at).clone()));
        }
        confidence = Confidence::Likely;
    }
    if let Some(mistakes) = fit::mistakes(records).filter(|share| *share >= GUESSING)
        && curve.end() >= WORSE * curve.guess
        && steady(&training(curve)).is_none()
    {
        // Each network with a bias at its end can guess: this one is kept from it.
        let (over, at) = (curve.end() / curve.guess, curve.points.last());
        let at = at.map(|point| point.at.clone());
        let figure = "the training loss at the end, over that of a guess";
        evidence.push(Evidence::held(figure, over, AtLeast(WORSE), at));
        let figure = "the mistakes on the validation set, over those of a guess";
        evidence.push(Evidence::held(figure, mistakes, AtLeast(GUESSING), None));
        confidence = Confidence::Likely;
    }
    (!evidence.is_empty()).then(|| Finding {
        symptom: Symptom::RateTooHigh,
        confidence,
        evidence,
        remedy:
            "a third to a tenth of the `peak`, found by a `RangeTest`; if only the first steps \
                 are at fault, `warmup(5 %)` before the first phase"
                .to_owned(),
    })
}

pub(super) fn too_low(records: &Records<'_>, curve: &Curve) -> Option<Finding> {
    let level = curve.end() / curve.scale;
    if level < HALF {
        return None;
    }
    let training = training(curve);
    let steady = steady(&training).map(|steady| ("training", steady));
    // A validation sees the same examples each time, so that it shows a small fall better.
    let (of, [fit, bend]) = steady.or_else(|| {
        let ways = training.iter().map(|(way, _)| *way);
        let losses = records.history.iter();
        let losses = losses.map_while(|epoch| Some(epoch.validation?.loss));
        let validation: Vec<_> = ways.zip(losses).collect();
        let whole = records.history.len() == training.len() && validation.len() == training.len();
        Some(("validation", self::steady(&validation).filter(|_| whole)?))
    })?;
    let figure = |what: &str| format!("{what} of the {of} loss over the sum of the learning rates");
    Some(Finding {
        symptom: Symptom::RateTooLow,
        confidence: Confidence::Likely,
        evidence: vec![
            Evidence::held(
                "the training loss at the end, over its scale",
                level,
                AtLeast(HALF),
                None,
            ),
            Evidence::held(figure("R² of a falling line"), fit, AtLeast(STRAIGHT), None),
            Evidence::held(
                figure("slope in the second half over that in the first,"),
                bend,
                AtLeast(UNBENT),
                None,
            ),
        ],
        remedy: "ten times the `peak`, found by a `RangeTest`; then more epochs".to_owned(),
    })
}

/// The training loss over the sum of the learning rates.
fn training(curve: &Curve) -> Vec<(f64, f64)> {
    let points = curve.points.iter();
    points.map(|point| (point.way, point.loss)).collect()
}

/// Of points that fall along a straight line: how straight it is, and the slope of its second half
/// over that of the first.
fn steady(points: &[(f64, f64)]) -> Option<[f64; 2]> {
    let (fit, slope) = line(points)?;
    let (early, late) = points.split_at(points.len() / 2);
    let bend = line(late)?.1 / line(early)?.1;
    (slope < 0.0 && fit >= STRAIGHT && bend >= UNBENT).then_some([fit, bend])
}

/// The coefficient of determination and the slope of the straight line through `points`.
fn line(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    let mean = |of: fn((f64, f64)) -> f64| points.iter().copied().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for point in points {
        let (x, y) = (point.0 - x, point.1 - y);
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    let (fit, slope) = (xy * xy / (xx * yy), xy / xx);
    (fit.is_finite() && slope.is_finite()).then_some((fit, slope))
}
