//! Reports in a browser: that they load without an error, fit a telephone and a screen, and that each
//! plot in them holds data.

#[path = "report/browser.rs"]
mod browser;

use kiln::data::{DataError, Examples, Table, Target, TensorData, digits};
use kiln::flatness;
use kiln::prelude::*;
use kiln::report::{Report, ReportError};
use kiln::train::{EpochRecord, Every, StepRecord, Trained};
use kiln_tests::{Folder, device};

use browser::seen;

model! {
    struct Reader;
    input image: [1, 8, 8];
    let scores = image -> conv2d(4, kernel: 3, padding: same) -> batch_norm -> relu
        -> max_pool2d(2) -> flatten -> linear(10);
    output scores;
    loss cross_entropy;
}

model! {
    struct Line;
    input x: [2];
    let y = x -> linear(1);
    output y;
    loss mse;
}

model! {
    struct Tagger;
    input x: [2, 2];
    let tags = x -> linear(2);
    output tags;
    loss cross_entropy;
}

optimizer! { struct Plain; update sgd(); }
schedule! { struct Wild; peak 1e30; constant; }
schedule! { struct Constant; peak 0.5; constant; }

/// Ends a script, a style, a table and an attribute, where it is not escaped.
const HOSTILE: &str = "</script><script>alert(1)</script><!--'\"&</style></table>";

fn trained() -> kiln::Result<(Trained<Reader>, impl Source)> {
    let (train, test) = digits()?.split(0.8, 1)?;
    let model = ReaderConfig::new().init(&device())?;
    let run = Trainer::new(model, Plain::new(), Constant::new())
        .epochs(2)
        .validate(&test)
        .measure("gradient", Every::Steps(20), &test, flatness::gradient_norm)
        .metric(HOSTILE, |_| 0.5)
        .log_every(20)
        .quiet()
        .fit(train)?;
    Ok((run, test))
}

/// As many epochs with a hundred parameters, and as many logged steps, as if `run` had gone on.
fn long(run: &Trained<Reader>, epochs: usize, steps: u64) -> (Vec<EpochRecord>, Vec<StepRecord>) {
    let history = (1..=epochs).map(|epoch| {
        let mut record = run.history[0].clone();
        record.epoch = epoch;
        for one in &mut record.measurements {
            one.step += 100 * epoch as u64;
        }
        record.loss = 2.0 / epoch as f64;
        let ratio = |layer| (1 + layer * epoch) as f64;
        let ratios =
            (0..100).map(|layer| (format!("layers.{layer}.attention.weight"), ratio(layer)));
        record.trust_ratios = ratios.collect();
        record
    });
    let log = (1..=steps).map(|step| {
        let mut record = run.log[0].clone();
        record.step = 5 * step;
        record.loss = 2.0 / (1.0 + 0.01 * step as f64) + 0.2 * (step as f64).sin();
        record.gradient_norm = 1.0 + record.loss;
        record
    });
    (history.collect(), log.collect())
}

#[test]
fn a_training_is_shown_whole() {
    let (mut run, test) = trained().unwrap();
    let (history, log) = long(&run, 2, 300);
    for (record, long) in run.history.iter_mut().zip(history) {
        record.trust_ratios = long.trust_ratios;
    }
    run.log = log;
    let page = Report::new(HOSTILE, &run)
        .examples(&test)
        .unwrap()
        .class_names((0..10).map(|class| format!("{class}{HOSTILE}")))
        .to_html()
        .unwrap();
    let accuracy = evaluate(&run.model, &test, 64).unwrap().accuracy.unwrap();
    let right = format!("of 359 right: {:.2} %", 100.0 * accuracy);
    for seen in seen("whole", &page).unwrap() {
        assert_eq!(seen.0["title"], HOSTILE);
        for section in [
            "diagnosis",
            "training",
            "flatness-and-metrics",
            "trust-ratios",
            "predictions",
            "network",
            "settings",
        ] {
            assert!(seen.has(section), "no {section}");
        }
        for plot in seen.list("plots") {
            let used = &plot["used"];
            if used.is_null() {
                continue;
            }
            assert_eq!([&used["zoomed"], &used["reset"]], [true, true], "{plot}");
            assert!(used["logarithmic"] != false, "{plot}");
            // The cursor's place is read out, and the curve's number there.
            let read = used["read"].as_str().unwrap_or_default();
            assert!(
                read.bytes().filter(u8::is_ascii_digit).count() >= 2,
                "{plot}"
            );
        }
        // Loss, accuracy, loss by step, rate, norm, speed; two measurements; ratios twice; confusion.
        assert_eq!(seen.list("plots").len(), 11, "{:?}", seen.list("plots"));
        assert!(seen.list("images").len() >= 8);
        assert!(seen.text().contains(&right), "{right}: {}", seen.text());
        assert!(seen.text().contains(HOSTILE), "{}", seen.text());
    }
}

#[test]
fn two_hundred_epochs_of_a_hundred_parameters_fit() {
    let (mut run, _) = trained().unwrap();
    (run.history, run.log) = long(&run, 200, 4000);
    let page = Report::new("Long", &run).to_html().unwrap();
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    seen("long", &page).unwrap();
}

#[test]
fn what_is_not_there_is_said_or_left_out() {
    let (mut run, _) = trained().unwrap();
    run.history.truncate(1);
    run.log.clear();
    run.history[0].validation = None;
    run.history[0].measurements.clear();
    run.history[0].metrics.clear();
    run.history[0].trust_ratios.clear();
    let page = Report::new("One epoch", &run).to_html().unwrap();
    for seen in seen("one-epoch", &page).unwrap() {
        assert_eq!(seen.list("plots").len(), 2);
        assert!(!seen.has("flatness-and-metrics") && !seen.has("trust-ratios"));
        for said in [
            "no validation set",
            "No step was written down",
            "No examples were shown",
        ] {
            assert!(seen.text().contains(said), "{said}: {}", seen.text());
        }
    }
    run.history.clear();
    let page = Report::new("Nothing", &run).to_html().unwrap();
    for seen in seen("nothing", &page).unwrap() {
        assert!(seen.list("plots").is_empty());
        assert!(
            seen.text().contains("No epoch was finished"),
            "{}",
            seen.text()
        );
    }
}

#[test]
fn numbers_that_are_not_finite_are_gaps() {
    let (mut run, _) = trained().unwrap();
    (run.history, run.log) = long(&run, 5, 200);
    run.history[2].loss = f64::NAN;
    run.history[4].loss = f64::INFINITY;
    if let Some(validation) = &mut run.history[1].validation {
        validation.accuracy = Some(f64::NAN);
    }
    for record in &mut run.log[50..] {
        record.loss = f64::NAN;
        record.gradient_norm = f64::INFINITY;
    }
    let page = Report::new("Diverged", &run).to_html().unwrap();
    assert!(!page.contains("best NaN"), "{page}");
    for seen in seen("gaps", &page).unwrap() {
        // Three losses of training and five of validation.
        assert_eq!(seen.list("plots")[0]["points"], 8);
    }
}

#[test]
fn a_regression_has_no_classes() {
    let inputs: Vec<f32> = (0..64).map(|index| (index as f32).sin()).collect();
    let targets = inputs.chunks(2).map(|x| 2.0 * x[0] - x[1]).collect();
    let table = Table::values(inputs, &[2], targets, &[1]).unwrap();
    let run = Trainer::new(
        LineConfig::new().init(&device()).unwrap(),
        Plain::new(),
        Constant::new(),
    )
    .batch(8)
    .epochs(3)
    .validate(&table)
    .quiet()
    .fit(table.clone())
    .unwrap();
    let report = Report::new("A line", &run).examples(&table).unwrap();
    for seen in seen("regression", &report.to_html().unwrap()).unwrap() {
        assert!(
            seen.text().contains("no classes to mistake"),
            "{}",
            seen.text()
        );
    }
}

#[test]
fn a_file_is_replaced_once_the_new_one_is_whole() {
    let (run, test) = trained().unwrap();
    let folder = Folder::new("report-file");
    let file = folder.file("report.html");
    std::fs::write(&file, "old").unwrap();
    Report::new("Digits", &run).write(&file).unwrap();
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .ends_with("</html>\n")
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let error = Report::new("Digits", &run).write(folder.file("none/report.html"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("none/report.html"), "{error}");

    let report = Report::new("Digits", &run)
        .examples(&test)
        .unwrap()
        .class_names(["a", "b"]);
    let error = report.to_html().unwrap_err();
    assert!(
        matches!(
            error,
            ReportError::ClassNames {
                classes: 10,
                names: 2
            }
        ),
        "{error}"
    );
}

/// Two places of two numbers each, of which the larger is the class.
struct Pairs;

impl Source for Pairs {
    fn len(&self) -> usize {
        10
    }
    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![vec![2, 2]]
    }
    fn targets(&self) -> Vec<Target> {
        vec![Target::Classes(2, vec![2])]
    }
    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let inputs = [0.0f32, 1.0, 1.0, 0.0].repeat(indices.len());
        Ok(Examples {
            inputs: vec![TensorData::new(inputs, [indices.len(), 2, 2])],
            targets: vec![TensorData::new(
                [1, 0].repeat(indices.len()),
                [indices.len(), 2],
            )],
        })
    }
}

#[test]
fn classes_at_several_places_are_counted_one_by_one() {
    let model = TaggerConfig::new().init(&device()).unwrap();
    let run = Trainer::new(model, Plain::new(), Constant::new())
        .batch(5)
        .epochs(20)
        .quiet();
    let run = run.fit(Pairs).unwrap();
    let page = Report::new("Places", &run)
        .examples(&Pairs)
        .unwrap()
        .to_html()
        .unwrap();
    assert!(
        page.contains("20 of 20 in 10 examples right: 100.00 %"),
        "{page}"
    );
    assert!(page.contains("Nothing was taken for anything else"));
}

#[test]
fn a_training_that_failed_says_of_what() {
    let model = ReaderConfig::new().init(&device()).unwrap();
    let run = Trainer::new(model, Plain::new(), Wild::new())
        .quiet()
        .fit(digits().unwrap());
    let failure = run.unwrap_err();
    let page = Report::failed("Digits", &failure).to_html().unwrap();
    for seen in seen("failed", &page).unwrap() {
        let said = format!("Failed after 0 epochs: {failure}").replace('`', "");
        assert!(seen.text().contains(&said), "{said}: {}", seen.text());
        assert!(
            seen.text().to_lowercase().contains("divergence"),
            "{}",
            seen.text()
        );
    }
}
