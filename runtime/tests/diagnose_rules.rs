//! The rules on curves that are made up, as they may lie in a file.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use kiln::diagnose::{Confidence, Diagnosis, Place, Records, Symptom, diagnose};
use kiln::train::{EpochRecord, StepRecord};
use serde_json::json;

/// An epoch of 100 steps.
fn epoch(epoch: usize, loss: f64, rate: f64, validation: Option<(f64, f64)>) -> EpochRecord {
    let validation = validation.map(|(loss, accuracy)| json!({"loss": loss, "accuracy": accuracy}));
    let record = json!({
        "epoch": epoch, "steps": 100 * epoch, "loss": loss, "rate": rate,
        "validation": validation, "metrics": {}, "seconds": 1.0,
    });
    serde_json::from_value(record).unwrap()
}

fn step(step: u64, loss: f64, gradient_norm: f64) -> StepRecord {
    let record = json!({
        "step": step, "epoch": 1 + step / 100, "loss": loss, "rate": 0.1,
        "gradient_norm": gradient_norm, "examples_per_second": 100.0,
    });
    serde_json::from_value(record).unwrap()
}

/// Epochs of these training losses, with a validation where there is one.
fn history(losses: &[f64], validation: impl Fn(usize) -> Option<(f64, f64)>) -> Vec<EpochRecord> {
    let losses = losses.iter().enumerate();
    losses
        .map(|(at, loss)| epoch(at + 1, *loss, 0.1, validation(at)))
        .collect()
}

fn of(history: &[EpochRecord], log: &[StepRecord]) -> Diagnosis {
    let diagnosis = diagnose(Records::new(history, log).classes(10));
    println!("{diagnosis}");
    diagnosis
}

fn symptoms(diagnosis: &Diagnosis) -> Vec<Symptom> {
    diagnosis
        .findings
        .iter()
        .map(|finding| finding.symptom)
        .collect()
}

/// From the loss of a guess down to `end`, by the same factor in each epoch.
fn decay(end: f64, epochs: usize) -> Vec<f64> {
    let losses = (0..epochs).map(|at| end + 2.2 * 0.6f64.powi(at as i32));
    losses.collect()
}

#[test]
fn what_is_not_there_is_not_judged() {
    let diagnosis = of(&[], &[]);
    assert!(diagnosis.is_healthy());
    for symptom in [
        Symptom::RateTooHigh,
        Symptom::RateTooLow,
        Symptom::ExplodingGradients,
        Symptom::VanishingGradients,
        Symptom::DeadUnits,
        Symptom::Underfitting,
        Symptom::Overfitting,
    ] {
        let unjudged = diagnosis.unjudged.iter();
        assert_eq!(
            unjudged.filter(|one| one.symptom == symptom).count(),
            1,
            "{symptom}"
        );
    }
    let diagnosis = of(&history(&decay(0.1, 8), |_| None), &[]);
    assert!(diagnosis.is_healthy());
    let overfitting = diagnosis
        .unjudged
        .iter()
        .find(|one| one.symptom == Symptom::Overfitting);
    assert!(overfitting.unwrap().reason.contains(".validate("));
}

#[test]
fn healthy_curves_have_no_symptom() {
    // A small gap; a validation loss below the training loss, as with dropout; noise on a small loss.
    for gap in [0.08, -0.1] {
        let losses = decay(0.12, 20);
        let history = history(&losses, |at| Some((losses[at] + gap, 0.97)));
        assert!(of(&history, &[]).is_healthy());
    }
    let noisy: Vec<f64> = decay(0.02, 30)
        .iter()
        .enumerate()
        .map(|(at, loss)| loss + 0.01 * (at % 2) as f64)
        .collect();
    assert!(of(&history(&noisy, |_| Some((0.1, 0.97))), &[]).is_healthy());
    // Gradients grow small with the loss; a spike late in a training is small beside the first ones.
    let log: Vec<_> = (1..=200u32)
        .map(|at| {
            let size = 0.98f64.powi(at as i32);
            let spike = if at == 150 { 20.0 } else { 1.0 };
            step(u64::from(at), 2.3 * size, 2.0 * size * spike)
        })
        .collect();
    assert!(of(&[], &log).is_healthy());
}

#[test]
fn overfitting_is_prechelts_generalisation_loss_and_the_gap() {
    let losses = decay(0.0, 30);
    // Falls until epoch 8, then rises by a hundredth of a guess in each epoch.
    let validation = |at: usize| {
        if at < 8 {
            losses[at] + 0.2
        } else {
            losses[7] + 0.2 + 0.02 * (at - 7) as f64
        }
    };
    let diagnosis = of(&history(&losses, |at| Some((validation(at), 0.8))), &[]);
    assert_eq!(symptoms(&diagnosis), [Symptom::Overfitting]);
    let finding = diagnosis.finding(Symptom::Overfitting).unwrap();
    assert_eq!(finding.confidence, Confidence::Certain);
    let least = 100.0 * (validation(27) / validation(7) - 1.0);
    assert!((finding.evidence[0].value / least - 1.0).abs() < 1e-9);
    assert_eq!(finding.evidence[1].at, Some(Place::Epoch(8)));
    assert!(finding.remedy.contains("epoch 8"));
    // One bad epoch at the end is none.
    let mut one = history(&losses, |at| Some((losses[at] + 0.05, 0.95)));
    let last = one.len();
    one[last - 1] = epoch(last, losses[last - 1], 0.1, Some((0.3, 0.9)));
    assert!(of(&one, &[]).is_healthy());
}

#[test]
fn underfitting_is_a_large_loss_that_stagnates_early() {
    let losses: Vec<f64> = (0..30).map(|at| 1.5 + 0.8 * 0.6f64.powi(at)).collect();
    let diagnosis = of(&history(&losses, |at| Some((losses[at] + 0.01, 0.4))), &[]);
    assert_eq!(symptoms(&diagnosis), [Symptom::Underfitting]);
    assert_eq!(diagnosis.findings[0].confidence, Confidence::Likely);
    assert_eq!(diagnosis.findings[0].evidence[1].at, Some(Place::Epoch(6)));
    // What a validation reads well does not underfit, however large its loss is.
    assert!(of(&history(&losses, |at| Some((losses[at] + 0.01, 0.96))), &[]).is_healthy());
    // Without right and wrong it may be noise in the targets.
    let diagnosis = of(&history(&losses, |_| None), &[]);
    assert_eq!(diagnosis.findings[0].confidence, Confidence::Possible);
}

#[test]
fn a_rate_is_too_low_where_the_loss_falls_along_a_line_and_too_high_where_it_jumps() {
    let line: Vec<f64> = (0..10).map(|at| 2.3 - 0.05 * f64::from(at)).collect();
    assert_eq!(
        symptoms(&of(&history(&line, |_| None), &[])),
        [Symptom::RateTooLow]
    );
    // Under a rate that falls to nothing the line is one over the sum of the rates.
    let mut way = 0.0;
    let bent: Vec<_> = (0..20)
        .map(|at| {
            let rate = 0.1 * (1.0 - f64::from(at) / 20.0);
            way += rate;
            epoch(at as usize + 1, 2.3 - 0.5 * way, rate, None)
        })
        .collect();
    assert_eq!(symptoms(&of(&bent, &[])), [Symptom::RateTooLow]);

    let oscillates: Vec<f64> = (0..12).map(|at| 1.5 + 0.3 * f64::from(at % 2)).collect();
    let diagnosis = of(&history(&oscillates, |_| None), &[]);
    assert_eq!(symptoms(&diagnosis), [Symptom::RateTooHigh]);
    assert!((diagnosis.findings[0].evidence[0].value - 6.0 / 11.0).abs() < 1e-12);
    // A jump, and a way back to a guess.
    let jump = [50.0, 2.4, 2.3, 2.3, 2.3, 2.3, 2.3];
    assert_eq!(
        symptoms(&of(&history(&jump, |_| None), &[])),
        [Symptom::RateTooHigh]
    );
    // Where the loss began that high, it is none.
    let start = [step(1, 50.0, 1.0)];
    let falls: Vec<f64> = (0..10).map(|at| 0.1 + 40.0 * 0.3f64.powi(at)).collect();
    assert!(of(&history(&falls, |_| None), &start).is_healthy());
}

#[test]
fn divergence_is_a_loss_that_is_no_number_or_ends_above_its_start() {
    let rises: Vec<f64> = (0..8).map(|at| 2.3 * 1.3f64.powi(at)).collect();
    let log = [step(1, 2.3, 1.0)];
    let diagnosis = of(&history(&rises, |_| None), &log);
    assert_eq!(
        symptoms(&diagnosis),
        [Symptom::Divergence, Symptom::RateTooHigh]
    );
    let mut broken = history(&decay(0.1, 6), |_| Some((0.1, 0.9)));
    broken[4].loss = f64::NAN;
    let diagnosis = of(&broken, &[]);
    assert_eq!(symptoms(&diagnosis), [Symptom::Divergence]);
    let finding = &diagnosis.findings[0];
    assert_eq!(
        (finding.confidence, &finding.evidence[0].at),
        (Confidence::Certain, &Some(Place::Epoch(5)))
    );
    // It can be stored, and read.
    let json = serde_json::to_string(&diagnosis).unwrap();
    assert_eq!(serde_json::from_str::<Diagnosis>(&json).unwrap(), diagnosis);
}

#[test]
fn gradients_explode_and_vanish() {
    let norms = |at: u64| {
        if at == 77 {
            400.0
        } else {
            1.0 + 0.1 * (at % 3) as f64
        }
    };
    let log: Vec<_> = (1..=100)
        .map(|at| step(at, 2.3 * 0.95f64.powi(at as i32), norms(at)))
        .collect();
    let diagnosis = of(&[], &log);
    assert_eq!(symptoms(&diagnosis), [Symptom::ExplodingGradients]);
    let finding = &diagnosis.findings[0];
    assert_eq!(finding.evidence[0].at, Some(Place::Step(77)));
    assert!(
        finding.remedy.contains("`clip global_norm(1)`"),
        "{finding}"
    );
    let mut log = log;
    for (at, record) in log.iter_mut().enumerate() {
        record.gradient_norm = if at == 0 || at == 76 { 1.0 } else { 0.0 };
    }
    log[76].gradient_norm = 400.0;
    let diagnosis = of(&[], &log);
    let finding = diagnosis.finding(Symptom::ExplodingGradients).unwrap();
    assert!(
        finding.remedy.contains("`clip global_norm(1.0)`"),
        "{finding}"
    );
    log[30].gradient_norm = f64::INFINITY;
    let diagnosis = of(&[], &log);
    assert_eq!(diagnosis.findings[0].confidence, Confidence::Certain);

    let log: Vec<_> = (1..=100)
        .map(|at| step(at, 2.29 + 0.01 * (at % 2) as f64, 0.9f64.powi(at as i32)))
        .collect();
    let found = symptoms(&of(&[], &log));
    assert!(found.contains(&Symptom::VanishingGradients), "{found:?}");
    // A parameter without a gradient at last has no trust ratio any more.
    let mut history = history(&[2.3; 8], |_| None);
    for (at, epoch) in history.iter_mut().enumerate() {
        let all = ["a.weight", "b.weight", "b.bias"];
        let kept = if at < 5 { &all[..] } else { &all[1..] };
        epoch.trust_ratios = kept.iter().map(|path| ((*path).to_owned(), 10.0)).collect();
    }
    let diagnosis = of(&history, &[]);
    let finding = diagnosis.finding(Symptom::VanishingGradients).unwrap();
    assert_eq!(finding.evidence[0].at, Some(Place::Path("a.weight".into())));
}

/// The loss of a density falls through 0, where shares of it mean nothing.
#[test]
fn a_loss_below_0_is_unjudged() {
    let reason = |diagnosis: &Diagnosis, symptom| {
        let mut unjudged = diagnosis.unjudged.iter();
        let one = unjudged.find(|one| one.symptom == symptom);
        one.map(|one| one.reason.clone()).unwrap_or_default()
    };
    let losses: Vec<f64> = (0..12).map(|at| 1.4 - 0.3 * f64::from(at)).collect();
    let below = history(&losses, |at| Some((losses[at] + 0.1, 0.5)));
    let diagnosis = diagnose(Records::new(&below, &[]));
    assert!(diagnosis.is_healthy(), "{diagnosis}");
    let found = reason(&diagnosis, Symptom::Underfitting);
    assert!(found.contains("above 0"), "{found}");
    let found = reason(&diagnosis, Symptom::Overfitting);
    assert!(found.contains("validation loss above 0"), "{found}");

    // Only the validation loss: a rise from -1.0 to -0.5 is no generalisation loss of -50 %.
    let above = history(&decay(0.1, 12), |at| Some((-1.0 + 0.05 * at as f64, 0.9)));
    let diagnosis = of(&above, &[]);
    assert!(diagnosis.is_healthy(), "{diagnosis}");
    let found = reason(&diagnosis, Symptom::Overfitting);
    assert!(found.contains("validation loss above 0"), "{found}");
}

/// Whatever is in a file, there is an answer.
#[test]
fn strange_records_do_no_harm() {
    let odd = [
        0.0,
        -1.0,
        1e308,
        -1e308,
        1e-308,
        f64::NAN,
        f64::INFINITY,
        1.0,
    ];
    for a in odd {
        for b in odd {
            let mut history = history(&[1.0; 7], |_| Some((0.5, 0.5)));
            let mut log: Vec<_> = (0..60).map(|at| step(at / 7, 1.0, 1.0)).collect();
            for (at, record) in log.iter_mut().enumerate() {
                let value = if at % 3 == 0 { a } else { b };
                (record.loss, record.gradient_norm, record.rate) = (value, value, b);
            }
            for (at, epoch) in history.iter_mut().enumerate() {
                epoch.loss = if at % 2 == 0 { a } else { b };
                epoch.rate = a;
                epoch.steps = 0;
                epoch.trust_ratios =
                    [("x.weight".to_owned(), b), ("y.weight".to_owned(), a)].into();
                if let Some(validation) = &mut epoch.validation {
                    validation.loss = b;
                }
            }
            for (history, log) in [(&history[..], &log[..]), (&[], &log), (&history[..1], &log)] {
                for records in [
                    Records::new(history, log),
                    Records::new(history, log).classes(1),
                ] {
                    let diagnosis = diagnose(records);
                    let _ = diagnosis.to_string();
                    for evidence in diagnosis.findings.iter().flat_map(|one| &one.evidence) {
                        assert!(evidence.value.is_finite(), "{a} {b}: {diagnosis}");
                    }
                }
            }
        }
    }
}
