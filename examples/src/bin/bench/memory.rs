//! Peak memory of each contender, each time in a process that has done nothing else.

use serde_json::Value;

use crate::case::Case;
use crate::contender::Contender;
use crate::launch::Launcher;
use crate::rounds::quartiles;

/// What a piece of work took, in MiB.
pub struct Memory {
    pub contender: Contender,
    pub case: Case,
    /// By how much the peak was above what was resident before the first step.
    pub increase: f64,
    /// The peak itself, with the program and everything that it loaded.
    pub peak: f64,
}

/// Runs `case` for `repetitions` in `processes` fresh processes; the medians over them.
pub fn measure(
    launcher: &Launcher,
    contender: Contender,
    case: Case,
    repetitions: usize,
    processes: usize,
) -> Result<Memory, String> {
    let (mut increases, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..processes {
        let mut process = launcher.start(contender)?;
        let answer = process.ask(&format!("memory {case} {repetitions}"))?;
        let mebibytes = |key: &str| answer[key].as_f64().map(|kib| kib / 1024.0);
        let (Some(before), Some(peak)) = (mebibytes("before_kib"), mebibytes("peak_kib")) else {
            return Err(format!("it answered {answer}"));
        };
        increases.push(peak - before);
        peaks.push(peak);
    }
    let median = |values| quartiles(values).map_or(f64::NAN, |[_, median, _]| median);
    Ok(Memory {
        contender,
        case,
        increase: median(increases),
        peak: median(peaks),
    })
}

impl Memory {
    pub fn to_json(&self) -> Value {
        serde_json::json!({ "increase_mib": self.increase, "peak_mib": self.peak })
    }
}
