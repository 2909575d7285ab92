//! Reports in a browser: that they load without an error, fit a telephone and a screen, and that each
//! plot in them holds data.

use std::error::Error;
use std::process::Command;

use kiln::data::{DataError, Examples, Table, Target, TensorData, digits};
use kiln::flatness;
use kiln::prelude::*;
use kiln::report::{Report, ReportError};
use kiln::train::{EpochRecord, Every, StepRecord, Trained};
use kiln_tests::{Folder, device};
use serde_json::Value;

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

/// What a browser made of a page.
struct Seen(Value);

impl Seen {
    fn list(&self, key: &str) -> &[Value] {
        self.0[key]
            .as_array()
            .unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }

    fn text(&self) -> &str {
        self.0["text"].as_str().unwrap_or_default()
    }

    fn has(&self, section: &str) -> bool {
        self.list("sections").iter().any(|found| found == section)
    }

    /// Panics unless the page is without an error, fits its width, and every plot in it shows something.
    fn is_sound(&self) {
        let name = &self.0["name"];
        assert!(
            self.list("errors").is_empty(),
            "{name}: {:?}",
            self.list("errors")
        );
        let [width, scroll] = ["width", "scroll"].map(|key| self.0[key].as_u64());
        assert!(
            scroll <= width,
            "{name}: {scroll:?} wide in a window of {width:?}"
        );
        for plot in self.list("plots") {
            assert!(plot["points"].as_u64() > Some(0), "{name}: {plot}");
            assert!(plot["colours"].as_u64() > Some(2), "{name}: {plot}");
            assert!(plot["ink"] != 0, "{name}: {plot}");
        }
        for colours in self.list("images") {
            assert!(
                colours.as_u64() > Some(2),
                "{name}: an image of {colours} colours"
            );
        }
    }
}

/// What a browser makes of `page` in windows of 400 and of 1400 pixels.
fn seen(name: &str, page: &str) -> Result<[Seen; 2], Box<dyn Error>> {
    let folder = Folder::new(&format!("report-{name}"));
    let check = format!(
        "<script>{}</script>\n</head>",
        include_str!("report/check.js")
    );
    let checked = page.replacen("</head>", &check, 1);
    let widths = [400, 1400];
    let frames = widths.map(|width| {
        format!("<iframe name=\"{name} at {width}\" src=\"page.html\" width=\"{width}\" height=\"900\" style=\"border:0\"></iframe>\n")
    });
    // A window is at least 500 pixels wide; a frame is as wide as it is told.
    let frames = format!(
        "<!doctype html>{}<pre id=\"seen\"></pre>\n<script>addEventListener(\"message\", (event) => {{\n\
         document.getElementById(\"seen\").append(encodeURIComponent(JSON.stringify(event.data)) + \"\\n\"); }});</script>",
        frames.concat()
    );
    for (file, text) in [("page.html", checked), ("frames.html", frames)] {
        std::fs::write(folder.file(file), text)?;
    }
    if let Ok(kept) = std::env::var("KILN_REPORTS") {
        std::fs::write(format!("{kept}/{name}.html"), page)?;
    }
    let (dom, log) = browse(&folder);
    let said: Vec<_> = log
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .collect();
    assert!(said.is_empty(), "{name}: {said:#?}");
    let seen = between(&dom, "<pre id=\"seen\">", "</pre>");
    let seen = seen.lines().filter(|line| !line.is_empty()).map(decoded);
    let mut seen: Vec<Value> = seen.collect::<Result<_, _>>()?;
    seen.sort_by_key(|seen| seen["width"].as_u64());
    let found: Vec<_> = seen.iter().map(|seen| seen["width"].as_u64()).collect();
    assert_eq!(found, widths.map(Some), "{name}: {dom}\n{log}");
    let seen = [Seen(seen.remove(0)), Seen(seen.remove(0))];
    seen.iter().for_each(Seen::is_sound);
    Ok(seen)
}

/// The document that Chromium makes of the frames in `folder`, and what it says on standard error.
fn browse(folder: &Folder) -> (String, String) {
    let output = Command::new("chromium")
        // The sandbox asks for rights that a container does not have; the page is our own.
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.file("profile").display()
        ))
        .args([
            "--window-size=1500,1200",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("file://{}", folder.file("frames.html").display()))
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "cannot start `chromium`: {error}; install it (Debian: `apt-get install chromium`)"
            )
        });
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), log)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let found = text
        .split_once(start)
        .and_then(|(_, rest)| rest.split_once(end));
    found
        .unwrap_or_else(|| panic!("no {start} .. {end} in {text}"))
        .0
}

/// The JSON in what `encodeURIComponent` wrote.
fn decoded(text: &str) -> Result<Value, Box<dyn Error>> {
    let mut pieces = text.trim().split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(code, 16)?);
        bytes.extend(rest.as_bytes());
    }
    Ok(serde_json::from_slice(&bytes)?)
}

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
    for record in &mut run.log[50..] {
        record.loss = f64::NAN;
        record.gradient_norm = f64::INFINITY;
    }
    let page = Report::new("Diverged", &run).to_html().unwrap();
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
        let said = format!("Failed after 0 epochs: {failure}");
        assert!(seen.text().contains(&said), "{said}: {}", seen.text());
        assert!(
            seen.text().to_lowercase().contains("divergence"),
            "{}",
            seen.text()
        );
    }
}
