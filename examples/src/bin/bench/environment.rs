//! What the figures were measured on and with.

use std::fs;

use serde_json::{Value, json};

use crate::contender::Contender;
use crate::process::Process;

/// Everything that another run would have to share.
pub fn describe(
    processes: &[Process],
    threads: usize,
    rounds: usize,
    batch: usize,
    quick: bool,
    load: Option<f64>,
) -> Value {
    let about = |contender: Contender| {
        let mut all = processes.iter();
        all.find(|process| process.contender() == contender)
            .map_or(Value::Null, |process| process.about().clone())
    };
    json!({
        "kiln": env!("CARGO_PKG_VERSION"),
        "burn": burn_version(),
        "declared": about(Contender::Declared),
        "ndarray": about(Contender::NdArray),
        "pytorch": about(Contender::PyTorch),
        "cpu": cpu(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "optimized": !cfg!(debug_assertions),
        "load_before": load,
        "threads": threads,
        "rounds": rounds,
        "batch": batch,
        "quick": quick,
    })
}

/// How many threads wanted a processor over the last minute, on average, where the system tells it.
pub fn load() -> Option<f64> {
    let known = fs::read_to_string("/proc/loadavg").ok()?;
    known.split(' ').next()?.parse().ok()
}

/// The processor's name, where the system tells it.
pub fn cpu() -> String {
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = known.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    name.unwrap_or_else(|| "an unnamed processor".to_owned())
}

/// The version of Burn that this program was built with.
pub fn burn_version() -> &'static str {
    const LOCK: &str = include_str!("../../../../Cargo.lock");
    let mut lines = LOCK.lines().skip_while(|line| *line != "name = \"burn\"");
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1));
    version.unwrap_or("unknown")
}
