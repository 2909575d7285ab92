//! Several processes train as one, and none outlives another: the program `ranks` under `mpirun`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a run of `ranks` came to.
struct Ended {
    status: ExitStatus,
    /// What each rank wrote, if it did.
    ranks: Vec<Option<Value>>,
    /// What they said on standard error.
    log: String,
    seconds: f64,
}

impl Ended {
    /// The value that each rank came to.
    fn values(&self) -> Vec<&Value> {
        assert!(self.status.success(), "{}", self.log);
        let ranks = self.ranks.iter();
        ranks
            .map(|written| &written.as_ref().expect("a result")["value"])
            .collect()
    }

    /// The error of rank `rank`.
    fn error(&self, rank: usize) -> &str {
        let written = self.ranks[rank].as_ref();
        let error = written.and_then(|written| written["error"].as_str());
        error.unwrap_or_else(|| panic!("rank {rank} has no error: {}", self.log))
    }
}

/// Runs `ranks` with `arguments` in so many processes.
fn mpirun(ranks: usize, arguments: &[&str]) -> Ended {
    let folder = folder(&arguments.join("-"));
    let log = folder.join("stderr");
    let stderr = File::create(&log).expect("the folder can be written");
    let start = Instant::now();
    let child = Command::new("mpirun")
        .args(["--allow-run-as-root", "--oversubscribe", "-n"])
        .arg(ranks.to_string())
        .arg(env!("CARGO_BIN_EXE_ranks"))
        .args(arguments)
        .arg(&folder)
        // A GPU in software takes minutes, and what is tested is no matter of the device.
        .env("KILN_DEVICE", "flex")
        // There are more processes than cores.
        .env("RAYON_NUM_THREADS", "1")
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn();
    let child = child.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!("there is no `mpirun`: install openmpi-bin"),
        _ => panic!("mpirun: {error}"),
    });
    let status = wait(child);
    let seconds = start.elapsed().as_secs_f64();
    let read = |rank| {
        let text = std::fs::read_to_string(folder.join(format!("{rank}.json"))).ok()?;
        Some(serde_json::from_str(&text).expect("a rank writes JSON"))
    };
    let ranks = (0..ranks).map(read).collect();
    let log = std::fs::read_to_string(log).expect("the log can be read");
    std::fs::remove_dir_all(&folder).expect("the folder is there");
    Ended {
        status,
        ranks,
        log,
        seconds,
    }
}

/// A folder of its own.
fn folder(name: &str) -> PathBuf {
    let name = name.replace('/', "_");
    let folder = std::env::temp_dir().join(format!("kiln-ranks-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
    folder
}

/// Waits for `mpirun`; a test that hangs is one that fails.
fn wait(mut child: Child) -> ExitStatus {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(300) {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("it can be killed");
    panic!("the processes hang");
}

#[test]
fn a_sum_has_the_same_bits_on_every_rank() {
    for ranks in [1, 3, 4] {
        let ended = mpirun(ranks, &["exchanges"]);
        let values = ended.values();
        for value in &values {
            assert_eq!(value["bits"], values[0]["bits"]);
            assert!(value["error"].as_f64().expect("a number") < 1e-14);
        }
    }
}

/// How rank 2 of four ends in the middle of what it does with the others.
fn end(how: &str) -> Ended {
    let ended = mpirun(4, &["ends", how]);
    assert!(!ended.status.success(), "{how}");
    assert!(ended.seconds < 30.0, "{how}: {} s", ended.seconds);
    ended
}

#[test]
fn a_rank_that_fails_ends_the_others_with_its_message() {
    let ended = end("fail");
    for rank in [0, 1, 3] {
        assert_eq!(
            ended.error(rank),
            "rank 2 failed: the disk of this rank is full"
        );
    }
    assert_eq!(ended.error(2), "its own error");
}

#[test]
fn a_rank_that_leaves_ends_the_others() {
    for how in ["leave", "finish"] {
        let ended = end(how);
        for rank in [0, 1, 3] {
            assert!(ended.error(rank).starts_with("rank 2 has left: "));
        }
    }
}

#[test]
fn ranks_that_do_different_things_are_told() {
    for (how, does) in [
        ("more", "rank 2 sums 5 numbers in single precision"),
        ("other", "rank 2 broadcasts"),
    ] {
        let ended = end(how);
        let expected =
            format!("{does} where rank 0 sums 4 numbers in single precision: every rank has to ");
        for rank in 0..4 {
            assert!(
                ended.error(rank).starts_with(&expected),
                "{}",
                ended.error(rank)
            );
        }
    }
}

#[test]
fn a_rank_that_dies_ends_the_others() {
    for how in ["panic", "exit", "kill"] {
        end(how);
    }
}

#[test]
fn a_rank_that_does_not_come_is_not_waited_for_without_end() {
    let ended = end("stop");
    assert!(
        ended.log.contains("has waited 2 s for the others"),
        "{}",
        ended.log
    );
}

/// For longer than a rank has patience with others in a training.
#[test]
fn a_rank_with_more_to_do_is_waited_for_at_the_end() {
    let ended = mpirun(3, &["late"]);
    assert_eq!(ended.values().len(), 3);
}

/// A training of so many processes, told by `key=value`.
fn train(ranks: usize, told: &[&str]) -> Ended {
    mpirun(ranks, &[&["train"], told].concat())
}

/// The weights of a rank by their paths.
fn weights(rank: &Value) -> BTreeMap<String, Vec<f64>> {
    serde_json::from_value(rank["weights"].clone()).expect("weights are numbers by path")
}

/// The largest difference of a weight, as a share of the largest weight of its tensor.
fn difference(a: &Value, b: &Value) -> f64 {
    let (a, b) = (weights(a), weights(b));
    let largest = |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(0.0, f64::max);
    let tensors = a.iter().map(|(path, a)| {
        let off = largest(&mut a.iter().zip(&b[path]).map(|(a, b)| (a - b).abs()));
        off / largest(&mut a.iter().map(|a| a.abs()))
    });
    largest(&mut { tensors })
}

/// Panics unless every rank came to the same, but for the examples and the time that each took.
fn alike(ended: &Ended) {
    let values = ended.values();
    for key in ["weights", "history", "steps", "stopped"] {
        for value in &values {
            assert_eq!(value[key], values[0][key], "{key}");
        }
    }
}

/// The examples of each step.
fn steps(value: &Value) -> Vec<Vec<usize>> {
    serde_json::from_value(value["seen"].clone()).expect("lists of indices")
}

/// Panics unless four processes come to the weights of one, up to `tolerance`.
fn as_one(told: &[&str], tolerance: f64) {
    let (one, four) = (train(1, told), train(4, told));
    alike(&four);
    let (one, four) = (one.values(), four.values());
    let off = difference(one[0], four[0]);
    assert!(off < tolerance, "{told:?}: {off:e}");
    for (step, whole) in steps(one[0]).into_iter().enumerate() {
        let parts: Vec<_> = four.iter().map(|rank| steps(rank)[step].clone()).collect();
        assert_eq!(whole, parts.concat(), "step {step}");
    }
    let loss = |value: &Value| {
        let last = value["history"]
            .as_array()
            .and_then(|history| history.last());
        let loss = last.and_then(|last| last["validation"]["loss"].as_f64());
        loss.expect("the last loss")
    };
    let (expected, found) = (loss(one[0]), loss(four[0]));
    assert!(
        (expected - found).abs() < 100.0 * tolerance * expected,
        "{told:?}: {found} for {expected}"
    );
}

/// 100 steps at a batch of 256, and of 64 for each of four.
#[test]
fn four_processes_train_as_one() {
    as_one(&["epochs=20"], 1e-5);
    as_one(&["epochs=20", "double"], 1e-13);
    if let Ok(folder) = std::env::var("KILN_MNIST") {
        as_one(&[&format!("mnist={folder}")[..], "epochs=1"], 1e-5);
    }
}

#[test]
fn passes_beside_the_first_are_shared_too() {
    as_one(&["optimizer=sam", "epochs=8"], 1e-5);
    as_one(&["optimizer=lbfgs", "epochs=2"], 1e-4);
}

/// Both divide the loss of a piece by 4, and sum four gradients, if in another order.
#[test]
fn micro_batches_are_those_of_each_process() {
    let (one, two) = (train(1, &["micro=4"]), train(2, &["micro=2"]));
    alike(&two);
    let off = difference(one.values()[0], two.values()[0]);
    assert!(off < 1e-5, "{off:e}");
}

#[test]
fn dropout_gives_the_same_bits_in_every_run() {
    let runs = [train(4, &["net=dropping"]), train(4, &["net=dropping"])];
    runs.iter().for_each(alike);
    assert_eq!(
        runs[0].values()[0]["weights"],
        runs[1].values()[0]["weights"]
    );
}

/// The mean over a batch is the mean of the means over its parts; so after one step, before which
/// all weights are the same, the running means of four processes are those of one.
#[test]
fn running_statistics_are_averaged() {
    let many = train(4, &["net=normed"]);
    alike(&many);
    let told = ["net=normed", "epochs=1", "batch=1280"];
    let (one, four) = (train(1, &told), train(4, &told));
    alike(&four);
    let mean = |ended: &Ended| -> Vec<f64> {
        let mut weights = weights(ended.values()[0]).into_iter();
        let mean = weights.find(|(path, _)| path.ends_with("running_mean"));
        mean.expect("there is one").1
    };
    for (one, four) in mean(&one).into_iter().zip(mean(&four)) {
        assert!((one - four).abs() < 1e-6, "{four} for {one}");
    }
}

#[test]
fn what_rank_0_measures_and_decides_holds_for_all() {
    let ended = train(4, &["stop"]);
    alike(&ended);
    for value in ended.values() {
        assert_eq!(value["stopped"], "six are enough");
        assert_eq!(value["steps"], 6);
    }
}

/// No rank has the others wait while it alone passes over the data.
#[test]
fn averages_get_their_statistics_on_all_ranks() {
    let ended = train(4, &["net=normed", "optimizer=swa"]);
    alike(&ended);
    for value in ended.values() {
        assert_eq!(value["gathered"], ended.values()[0]["gathered"]);
    }
}

/// How rank 2 of four ends in the third epoch.
fn fall_ill(how: &str) -> Ended {
    let ended = train(4, &[&format!("other={how}")]);
    assert!(!ended.status.success(), "{how}");
    assert!(ended.seconds < 30.0, "{how}: {} s", ended.seconds);
    ended
}

#[test]
fn an_error_in_the_data_of_one_rank_ends_all() {
    for (how, own) in [
        ("data", "the cable is out"),
        ("panic", "the source panics"),
        ("nan", "the loss is NaN at epoch 3, step 3 "),
    ] {
        let ended = fall_ill(how);
        assert!(ended.error(2).contains(own), "{}", ended.error(2));
        for rank in [0, 1, 3] {
            assert_eq!(
                ended.error(rank),
                format!("rank 2 failed: {}", ended.error(2))
            );
        }
    }
}

#[test]
fn a_rank_that_is_killed_in_training_ends_the_others() {
    fall_ill("kill");
}

#[test]
fn a_rank_that_is_told_something_else_is_refused() {
    for (how, difference) in [
        ("batch", "\n  batch: 256 there, 128 here\n"),
        ("seed", "\n  seed: 4 there, 5 here\n"),
        ("peak", "\n  schedule: "),
    ] {
        let ended = fall_ill(how);
        assert!(ended.error(2).contains(difference), "{}", ended.error(2));
        for rank in [0, 1, 3] {
            assert_eq!(
                ended.error(rank),
                format!("rank 2 failed: {}", ended.error(2))
            );
        }
    }
    let uneven = train(3, &[]);
    assert!(uneven.error(0).contains("make the batch a multiple of 3"));
    let newton = train(2, &["optimizer=newton_cg"]);
    assert!(newton.error(1).contains("trains in one process alone"));
}

#[test]
fn weights_that_part_are_noticed() {
    let ended = fall_ill("sum");
    for rank in 0..4 {
        let error = ended.error(rank);
        assert!(error.starts_with("process 2 has other weights than process 0 after epoch 1"));
    }
}

/// A signal to rank 2 alone; and then on to the end.
#[test]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let folder = folder("checkpoints");
    let checkpoints = format!("checkpoints={}", folder.display());
    let told = ["net=dropping", "epochs=6", &checkpoints];
    let ended = train(4, &[&told[..], &["other=term"]].concat());
    assert!(!ended.status.success());
    for rank in 0..4 {
        let error = ended.error(rank);
        assert!(error.contains(" after step 1"), "{error}");
        assert!(error.contains("step-000000001"), "{error}");
    }
    let resumed = train(4, &told);
    alike(&resumed);
    let whole = train(4, &told[..2]);
    assert_eq!(resumed.values()[0]["weights"], whole.values()[0]["weights"]);
    std::fs::remove_dir_all(folder).expect("the folder is there");
}
