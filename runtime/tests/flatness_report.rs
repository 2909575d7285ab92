//! The table of all figures of flatness.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "flatness/doubles.rs"]
mod doubles;
#[path = "flatness/matrices.rs"]
mod matrices;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use doubles::{device, quadratic};
use kiln::data::digits;
use kiln::flatness::{
    Approximation, AsamSharpness, Flatness, FlatnessError, FlatnessOptions, GaussianSharpness,
    Keskar, Lanczos, Objective, SamSharpness, Trace, Volume, Watch, top_eigenvalue, trace,
};
use kiln::prelude::*;
use matrices::Known;
use serde_json::json;

fn options() -> FlatnessOptions {
    FlatnessOptions::none()
        .eigenvalues(Lanczos::new().top(1).bottom(1).tolerance(1e-8))
        .trace(Trace::hutchinson())
        .keskar(Keskar::new())
        .keskar(Keskar::new().epsilon(5e-4).subspace(2))
        .sam(SamSharpness::maximised())
        .asam(AsamSharpness::one_step())
        .gaussian(GaussianSharpness::new())
        .volume(Volume::new().euclidean().directions(5))
}

#[test]
fn the_figures_of_a_quadratic_are_its_closed_forms() {
    let Some(device) = device() else { return };
    let known = Known::new((1..=12).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[1.0; 12], &[1.0; 12], 0.0);
    let flatness = Flatness::measure(&objective, &options()).unwrap();
    println!("{flatness}");
    let value = |name: &str| flatness.get(name).unwrap().value;
    assert!((value("lambda max") - 12.0).abs() < 1e-6);
    assert!((value("lambda min") - 1.0).abs() < 1e-6);
    assert!((value("condition number") - 12.0).abs() < 1e-5);
    let trace = flatness.get("trace").unwrap();
    assert!((trace.value - 78.0).abs() < 4.0 * trace.error.unwrap());
    let sam = value("SAM, rho 0.05, maximised");
    assert!((sam / (0.05 * 0.05 * 6.0) - 1.0).abs() < 1e-3);
    assert_eq!((flatness.loss, flatness.gradient_norm), (0.0, 0.0));
    assert_eq!((flatness.parameters, flatness.examples), (12, 1));
    assert_eq!(flatness.approximations, [Approximation::Gradients]);
    assert_eq!(flatness.missing, []);
    assert!(flatness.figures.iter().all(|figure| figure.complete));

    let json = serde_json::to_string(&flatness).unwrap();
    let read: Flatness = serde_json::from_str(&json).unwrap();
    assert_eq!(read.figures.len(), flatness.figures.len());
    for (read, figure) in read.figures.iter().zip(&flatness.figures) {
        // What reads JSON here may be off by the last bit.
        assert!((read.value / figure.value - 1.0).abs() < 1e-14 || read.value == figure.value);
        assert_eq!(read.definition, figure.definition);
        assert_eq!(read.settings, figure.settings);
    }

    let csv = flatness.to_csv();
    let lines: Vec<&str> = csv.trim_end().split("\r\n").collect();
    assert_eq!(lines.len(), 1 + flatness.figures.len());
    assert_eq!(
        lines[0],
        "name,value,error,unit,complete,definition,settings"
    );
    assert!(lines[1].starts_with("\"lambda max\","), "{}", lines[1]);

    let keskar = flatness.get("Keskar, epsilon 0.0005, subspace 2").unwrap();
    let settings = json!({"keskar": {"epsilon": 5e-4, "subspace": 2, "steps": 10, "seed": 0}});
    assert_eq!(keskar.settings, settings);
    let cell = settings.to_string().replace('"', "\"\"");
    assert!(csv.contains(&format!(",\"{cell}\"\r\n")), "{csv}");

    let table = flatness.to_string();
    assert!(
        table.contains("Keskar, epsilon 0.0005, subspace 2"),
        "{table}"
    );
    assert!(table.contains("not exact: products are central differences"));
    assert_eq!(flatness, Flatness::measure(&objective, &options()).unwrap());
}

/// Names tell figures apart that are not the same one; settings tell how the same one was measured.
#[test]
fn no_two_different_figures_have_one_name() {
    let Some(device) = device() else { return };
    let known = Known::new((1..=4).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[1.0; 4], &[1.0; 4], 0.0);
    let volume = Volume::new().euclidean().directions(3);
    let options = FlatnessOptions::none()
        .asam(AsamSharpness::one_step())
        .asam(AsamSharpness::one_step().eta(0.0))
        .volume(volume.clone())
        .volume(volume.clone().rise(0.5))
        .volume(volume.clone().cutoff(0.5))
        .volume(volume.seed(1));
    let flatness = Flatness::measure(&objective, &options).unwrap();
    let names: Vec<&str> = flatness.figures.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names[0], "ASAM, eta 0.01, rho 0.5, one step");
    assert_eq!(names[2], "log volume, in units of weights, rise 0.1");
    assert_eq!(names[8], "log volume, in units of weights, cutoff 0.5");
    let different: BTreeSet<&str> = names[..11].iter().copied().collect();
    assert_eq!(different.len(), 11);
    assert_eq!(names[11], names[2]);
    assert_ne!(flatness.figures[11].settings, flatness.figures[2].settings);
}

#[test]
fn an_interruption_leaves_the_rest_missing() {
    let Some(device) = device() else { return };
    let known = Known::new((1..=12).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[1.0; 12], &[1.0; 12], 0.0);
    let stop = Watch::silent().stop_when(Arc::new(AtomicBool::new(true)));
    let flatness = Flatness::measure(&objective.watched(stop), &options()).unwrap();
    assert!(flatness.figures.is_empty());
    assert_eq!(flatness.missing.len(), 8);
    assert!(flatness.missing[0].reason.contains("interrupted"));
}

/// One figure that cannot be had takes none of the others along.
#[test]
fn a_figure_that_fails_is_missing_and_says_why() {
    let Some(device) = device() else { return };
    let known = Known::new((1..=12).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[1.0; 12], &[1.0; 12], 0.0);
    let options = FlatnessOptions::none()
        .trace(Trace::hutch_plus_plus(13))
        .eigenvalues(Lanczos::new().top(1).bottom(1).tolerance(1e-8))
        .sam(SamSharpness::one_step().rho(-1.0));
    let flatness = Flatness::measure(&objective, &options).unwrap();
    assert_eq!(flatness.figures.len(), 3);
    let names = flatness.missing.iter().map(|missing| missing.name.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["trace", "SAM"]);
    let reason = &flatness.missing[0].reason;
    assert!(reason.contains("`rank` is between 1 and 12"), "{reason}");
    let reason = &flatness.missing[1].reason;
    assert!(reason.contains("`rho`"), "{reason}");
    assert_eq!(flatness.missing[1].settings["sam"]["rho"], -1.0);
}

/// A figure on the way of a training is exact or an error, in a number of products that is known.
#[test]
fn a_single_figure_is_exact_or_an_error() {
    let Some(device) = device() else { return };
    let known = Known::new((1..=12).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[1.0; 12], &[1.0; 12], 0.0);
    assert!((top_eigenvalue(&objective).unwrap() - 12.0).abs() < 0.12);
    assert!((trace(&objective).unwrap() / 78.0 - 1.0).abs() < 0.4);
    // No estimate is within a tenth of a trace of zero.
    let known = Known::new((-6..=6).map(f64::from).collect());
    let objective = quadratic(&device, &known.entries, &[1.0; 13], &[1.0; 13], 0.0);
    let error = trace(&objective).unwrap_err();
    println!("{error}");
    assert!(matches!(
        error,
        FlatnessError::Inexact { products: 100, .. }
    ));
}

model! {
    struct Net;
    input image: [1, 8, 8];
    let scores = image -> avg_pool2d(2) -> flatten -> linear(10);
    output scores;
    loss cross_entropy;
}

/// A softmax regression is convex: the Hessian has no negative eigenvalue, and as many zeros as
/// there are ways to shift all scores alike.
#[test]
fn all_figures_of_a_network_are_there() {
    let Some(device) = device() else { return };
    let model = NetConfig::new().init(&device).unwrap();
    let data = digits().unwrap();
    let objective = Objective::new(&model, &data).unwrap();
    let flatness = Flatness::measure(&objective, &FlatnessOptions::all()).unwrap();
    println!("{flatness}");
    assert_eq!(flatness.approximations, []);
    // Zero is among the eigenvalues, within the error.
    let condition = flatness.get("condition number");
    assert!(condition.is_none_or(|condition| condition.error.is_none()));
    assert_eq!(flatness.figures.len() + flatness.missing.len(), 14);
    let value = |name: &str| flatness.get(name).unwrap().value;
    assert!(value("lambda min").abs() < 1e-2 * value("lambda max"));
    assert!(value("trace") > value("lambda max"));
    assert!(value("Keskar, epsilon 0.001") > value("Keskar, epsilon 0.0005"));
    let [one, most] = ["one step", "maximised"].map(|how| value(&format!("SAM, rho 0.05, {how}")));
    assert!(most >= one && one > 0.0);
}
