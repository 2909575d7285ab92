//! Taking turns: every round, each contender runs the case once, so that what else the machine
//! does meets all of them.

use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::case::Case;
use crate::contender::Contender;
use crate::process::Process;

/// How long a turn lasts, about, in milliseconds.
const TURN: f64 = 250.0;

/// What takes longer, in milliseconds, is run once a turn.
const LONG: f64 = 1000.0;

/// The fewest repetitions of what is shorter: the first finds its threads asleep, and the median
/// of three passes over it.
const FEWEST: f64 = 3.0;

/// The most repetitions in a turn.
const MOST: f64 = 200.0;

/// PyTorch's OpenMP threads wait for more work in a loop, for up to 200 ms, and would take the
/// processor from whoever is next.
const AFTER_PYTORCH: Duration = Duration::from_millis(300);

/// One contender in one case, and how it fared: the median milliseconds of each counted turn.
pub struct Entry {
    pub contender: Contender,
    pub case: Case,
    pub turns: Vec<f64>,
    repetitions: usize,
}

impl Entry {
    pub fn new(contender: Contender, case: Case) -> Self {
        Entry {
            contender,
            case,
            turns: Vec::new(),
            repetitions: 1,
        }
    }

    /// Milliseconds: the median over the rounds.
    pub fn milliseconds(&self) -> Option<f64> {
        quartiles(self.turns.clone()).map(|[_, median, _]| median)
    }
}

/// Lets `entries` take turns for `rounds` rounds, and one before that is not counted. Gives the
/// entries of those who came through, and for each of the others why it did not.
pub fn take_turns(
    mut entries: Vec<Entry>,
    processes: &mut [Process],
    rounds: usize,
    quick: bool,
) -> (Vec<Entry>, Vec<String>) {
    let mut failures = Vec::new();
    for round in 0..=rounds {
        if round > 0 && !entries.is_empty() {
            entries.rotate_left(1);
        }
        entries.retain_mut(|entry| match turn(entry, processes, round, quick) {
            Ok(()) => true,
            Err(error) => {
                failures.push(format!("{} {}: {error}", entry.contender, entry.case));
                false
            }
        });
    }
    (entries, failures)
}

fn turn(
    entry: &mut Entry,
    processes: &mut [Process],
    round: usize,
    quick: bool,
) -> Result<(), String> {
    let mut all = processes.iter_mut();
    let process = all
        .find(|process| process.contender() == entry.contender)
        .ok_or("it is not running")?;
    if round > 0 {
        let milliseconds = time(process, entry.case, entry.repetitions)?;
        entry.turns.push(milliseconds);
    } else {
        // The first repetition sets things up and, on a GPU, compiles kernels.
        let first = time(process, entry.case, 1)?;
        if !quick {
            let usual = if first < LONG {
                time(process, entry.case, 2)?
            } else {
                first
            };
            if usual < LONG {
                entry.repetitions = (TURN / usual).clamp(FEWEST, MOST) as usize;
            }
        }
    }
    if entry.contender == Contender::PyTorch {
        sleep(AFTER_PYTORCH);
    }
    Ok(())
}

/// The median of so many repetitions in a row, in milliseconds.
fn time(process: &mut Process, case: Case, repetitions: usize) -> Result<f64, String> {
    let answer = process.ask(&format!("time {case} {repetitions}"))?;
    let times = answer["ms"].as_array().into_iter().flatten();
    let times: Vec<f64> = times.filter_map(Value::as_f64).collect();
    match quartiles(times) {
        Some([_, median, _]) => Ok(median),
        None => Err(format!("it answered {answer}")),
    }
}

/// Lower quartile, median and upper quartile; `None` of nothing.
pub fn quartiles(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let (low, high) = (place.floor() as usize, place.ceil() as usize);
        values[low] + (values[high] - values[low]) * place.fract()
    };
    Some([at(0.25), at(0.5), at(0.75)])
}
