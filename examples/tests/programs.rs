//! The programs as a person runs them: flags, files, exit codes, what they print.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Training in software on a graphics interface takes long.
fn is_slow() -> bool {
    std::env::var("KILN_DEVICE").is_ok_and(|device| device == "wgpu")
}

/// A folder of this test's own, empty.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn digits(folder: &Path, arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_digits"), folder, arguments)
}

fn predict(folder: &Path, arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_predict"), folder, arguments)
}

fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An IDX file of `count` images of 8×8.
fn idx(file: &Path, count: u32) {
    let mut bytes = vec![0, 0, 8, 3];
    for size in [count, 8, 8] {
        bytes.extend(size.to_be_bytes());
    }
    bytes.extend((0..count * 64).map(|i| (i % 251) as u8));
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn digits_learns_to_read_saves_and_reports() {
    let folder = folder("learns");
    let files = [
        "--json",
        "result.json",
        "--model",
        "model.bpk",
        "--report",
        "report.html",
    ];
    let short = ["--epochs", "1"];
    let arguments = [&files[..], if is_slow() { &short } else { &[] }].concat();
    let output = digits(&folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));

    let printed = text(&output.stdout);
    for part in [
        "DigitNet",
        "scores.2",
        "1438 images to learn from",
        "read as",
        "test accuracy",
    ] {
        assert!(printed.contains(part), "no {part:?} in\n{printed}");
    }
    assert!(
        text(&output.stderr).contains("epoch"),
        "{}",
        text(&output.stderr)
    );

    let result = std::fs::read_to_string(folder.join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    let keys: Vec<_> = result
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "device",
        "epochs",
        "seconds",
        "steps",
        "test_accuracy",
        "test_loss",
    ];
    assert_eq!(keys, expected);
    if !is_slow() {
        assert_eq!(
            (&result["epochs"], &result["steps"]),
            (&15.into(), &660.into())
        );
        let accuracy = result["test_accuracy"].as_f64().unwrap();
        assert!(accuracy >= 0.98, "{accuracy}");
    }

    let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("DigitNet on UCI's digits") && report.contains("359 right"));

    idx(&folder.join("images"), 3);
    let output = predict(
        &folder,
        &["model.bpk", "images", "--csv", "read.csv", "--show", "2"],
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
    let csv = std::fs::read_to_string(folder.join("read.csv")).unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "index,digit,probability"));
    for (index, line) in lines[1..].iter().enumerate() {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells[0], index.to_string());
        assert!(cells[1].parse::<usize>().unwrap() < 10, "{line}");
        assert!(
            (0.1..=1.0).contains(&cells[2].parse::<f32>().unwrap()),
            "{line}"
        );
    }
}

#[test]
fn a_training_that_cannot_begin_leaves_the_old_model_as_it_was() {
    let folder = folder("refuses");
    std::fs::write(folder.join("model.bpk"), b"precious").unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["--epochs", "0"], "`epochs` is at least 1, found 0"),
        (&["--batch", "5000"], "1438"),
        (&["--data", "nowhere"], "nowhere"),
        (
            &["--json", "no/such/folder.json"],
            "cannot write no/such/folder.json",
        ),
    ];
    for (arguments, reason) in cases {
        let arguments = [&["--model", "model.bpk"], arguments].concat();
        let output = digits(&folder, &arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(
            error.starts_with("error: ") && error.contains(reason),
            "{arguments:?}: {error}"
        );
        assert_eq!(
            std::fs::read(folder.join("model.bpk")).unwrap(),
            b"precious"
        );
    }
}

#[test]
fn a_wrong_flag_is_refused_and_help_names_every_one() {
    let folder = folder("flags");
    assert_eq!(digits(&folder, &["--epoch", "3"]).status.code(), Some(2));
    let help = text(&digits(&folder, &["--help"]).stdout);
    for flag in [
        "--data",
        "--epochs",
        "--batch",
        "--seed",
        "--model",
        "--json",
        "--report",
        "KILN_DEVICE",
    ] {
        assert!(help.contains(flag), "no {flag} in\n{help}");
    }
}

#[test]
fn predict_says_what_is_wrong_with_its_files() {
    let folder = folder("predicts");
    let failed = |arguments: &[&str]| {
        let output = predict(&folder, arguments);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    assert!(failed(&["missing.bpk", "images"]).contains("cannot read missing.bpk"));
    std::fs::write(folder.join("text.bpk"), "this is no model").unwrap();
    assert!(failed(&["text.bpk", "images"]).contains("text.bpk"));
}

#[test]
fn an_unknown_device_is_refused_by_name() {
    let program = env!("CARGO_BIN_EXE_digits");
    let output = Command::new(program)
        .env("KILN_DEVICE", "gpu")
        .output()
        .unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains("`flex`, `ndarray` or `wgpu`, found `gpu`"),
        "{error}"
    );
}

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_bench"), folder, arguments)
}

#[test]
fn bench_measures_what_is_there_and_names_every_ratio() {
    let folder = folder("measures");
    let quick = ["--quick", "--rounds", "1", "--batch", "8", "--no-ndarray"];
    let rest = ["--python", "./no-such-python", "--json", "speed.json"];
    let only: &[&str] = if is_slow() { &["--only", "mlp_*"] } else { &[] };
    let output = bench(&folder, &[&quick[..], &rest, only].concat());
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in [
        "not measured: ndarray: left out by --no-ndarray",
        "not measured: pytorch: cannot run ./no-such-python",
        "pip install torch",
        "training step",
        "declared and by hand: the same bits",
    ] {
        assert!(printed.contains(part), "no {part:?} in\n{printed}");
    }

    let result = std::fs::read_to_string(folder.join("speed.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["identical"], true);
    assert!(result["environment"]["cpu"].is_string(), "{result}");
    let fast: &[&str] = if is_slow() {
        &[]
    } else {
        &[
            "declared_vs_handwritten_cnn",
            "cnn_step_vs_burn",
            "resnet20_step_vs_burn",
            "transformer_step_vs_burn",
            "transformer_infer_vs_burn",
            "cnn_ms_per_image_at_128_vs_32",
        ]
    };
    for name in [&["declared_vs_handwritten_mlp", "mlp_step_vs_burn"], fast].concat() {
        assert!(result[name].as_f64().unwrap() > 0.0, "{name} in {result}");
        assert!(printed.contains(name), "no {name} in\n{printed}");
    }
    assert!(result["ms"]["mlp_infer"]["declared"].as_f64().unwrap() > 0.0);
    assert!(result["mlp_step_vs_pytorch"].is_null());
}

#[test]
fn bench_says_what_is_wrong_with_its_flags() {
    let folder = folder("bench-flags");
    let cases: [(&[&str], &str); 5] = [
        (&["--rounds", "0"], "--rounds is at least 1, found 0"),
        (&["--threads", "0"], "--threads is at least 1, found 0"),
        (&["--batch", "9000"], "--batch is at most 8192"),
        (
            &["--only", "cnn"],
            "--only cnn matches nothing; there are mlp_step,",
        ),
        (
            &["--json", "no/such/folder.json"],
            "cannot write no/such/folder.json",
        ),
    ];
    for (arguments, reason) in cases {
        let output = bench(&folder, arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(
            error.starts_with("error: ") && error.contains(reason),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(bench(&folder, &["--round", "3"]).status.code(), Some(2));
}

/// A contender that dies must not take the others with it, nor pass for one that is not there.
#[cfg(unix)]
#[test]
fn bench_tells_why_a_contender_died_and_measures_the_rest() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder("dies");
    let script =
        "#!/bin/sh\necho '{\"version\": \"0\"}'\nread line\necho out of luck >&2\nexit 3\n";
    let python = folder.join("python");
    std::fs::write(&python, script).unwrap();
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let quick = ["--quick", "--rounds", "1", "--batch", "8", "--no-ndarray"];
    let rest = [
        "--only",
        "mlp_*",
        "--python",
        "./python",
        "--json",
        "speed.json",
    ];
    let output = bench(&folder, &[quick, rest].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let reason = "pytorch mlp_step: the process ended (exit status: 3): out of luck";
    assert!(error.contains(reason), "{error}");
    let result = std::fs::read_to_string(folder.join("speed.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert!(result["mlp_infer_vs_burn"].is_number(), "{result}");
}

#[test]
fn lr_range_suggests_rates_and_writes_its_curve() {
    let folder = folder("range");
    let steps = if is_slow() { "20" } else { "100" };
    let files = [
        "--svg",
        "range.svg",
        "--csv",
        "range.csv",
        "--json",
        "range.json",
    ];
    let arguments = [&["--steps", steps][..], &files].concat();
    let output = run(env!("CARGO_BIN_EXE_lr_range"), &folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("the loss falls most steeply at"));
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    assert!(read("range.svg").starts_with("<svg") && read("range.csv").starts_with("rate,loss,"));
    let result: Value = serde_json::from_str(&read("range.json")).unwrap();
    assert!(result["steepest"].is_number(), "{result}");

    let output = run(env!("CARGO_BIN_EXE_lr_range"), &folder, &["--from", "0"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    // Behind what a graphics driver may have to say.
    let expected = "error: `from` is positive and finite, found 0\n";
    assert!(error.ends_with(expected), "{error}");
}

/// What `digits` is told to train little, and to write down what it does.
const LITTLE: [&str; 8] = [
    "--epochs",
    "2",
    "--batch",
    "256",
    "--checkpoints",
    "run",
    "--metrics",
    "run.jsonl",
];

#[test]
fn digits_goes_on_from_a_checkpoint_and_says_what_differs() {
    let folder = folder("resumes");
    let little = |more: &[&str]| digits(&folder, &[&LITTLE, more].concat());
    let first = little(&["--tensorboard", "board"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(folder.join("run/best.kiln").exists());
    assert_eq!(std::fs::read_dir(folder.join("board")).unwrap().count(), 1);
    let lines = std::fs::read_to_string(folder.join("run.jsonl")).unwrap();
    assert_eq!(
        lines
            .lines()
            .filter(|line| line.contains(r#""kind":"epoch""#))
            .count(),
        2
    );

    let again = little(&[]);
    assert!(!again.status.success());
    let message = text(&again.stderr);
    assert!(
        message.contains("holds a checkpoint of step 10 already"),
        "{message}"
    );
    let other = little(&["--resume", "--seed", "2"]);
    let message = text(&other.stderr);
    assert!(message.contains("seed: 1 then, 2 now"), "{message}");
    assert!(!message.contains("finite weights"), "{message}");
    let resumed = little(&["--resume"]);
    let message = text(&resumed.stderr);
    assert!(resumed.status.success(), "{message}");
    assert!(
        message.contains("going on from run/step-0000000010.kiln, after step 10"),
        "{message}"
    );
    let alone = digits(&folder, &["--resume"]);
    assert!(
        text(&alone.stderr).contains("--checkpoints <DIR>"),
        "{}",
        text(&alone.stderr)
    );
}

#[test]
fn learner_trains_with_burns_loop() {
    let folder = folder("learner");
    let arguments = ["--epochs", "1", "--folder", "burn"];
    let output = run(env!("CARGO_BIN_EXE_learner"), &folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    assert!(out.contains("that it has not seen"), "{out}");
    assert!(folder.join("burn/checkpoint").exists());
}
