//! Several processes train as one, and none outlives another: the program `ranks` under `mpirun`.

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
