//! Peak memory of a piece of work, as Linux counts it.

use std::error::Error;
use std::fs;

/// Resident memory of this process, in KiB.
pub struct Usage {
    /// Before the work.
    pub before: u64,
    /// The most at any time during it.
    pub peak: u64,
}

/// Runs `work` and tells what memory it took. Only Linux tells.
pub fn of(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Usage, Box<dyn Error>> {
    let before = status("VmRSS:")?;
    // Sets the peak back to what is resident now (see proc_pid_clear_refs(5)).
    fs::write("/proc/self/clear_refs", "5")
        .map_err(|error| format!("cannot reset the peak in /proc/self/clear_refs: {error}"))?;
    work()?;
    let peak = status("VmHWM:")?;
    Ok(Usage { before, peak })
}

/// A line of `/proc/self/status`, in KiB.
fn status(key: &str) -> Result<u64, Box<dyn Error>> {
    let path = "/proc/self/status";
    let status = fs::read_to_string(path)
        .map_err(|error| format!("memory is measured on Linux alone: {path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or(format!("no {key} in {path}"))?.parse()?)
}
