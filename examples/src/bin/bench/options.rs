//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::case::{self, Case};
use crate::contender::Contender;
use crate::worker::Work;

/// Times Kiln beside Burn and PyTorch: training steps, inference, optimizers, the data loader and
/// peak memory. Every contender is a process of its own; they take turns, so that what else the
/// machine does meets all of them, and a ratio is the median over the rounds.
#[derive(Parser)]
#[command(name = "bench", version)]
pub struct Options {
    /// How often all take turns; one more round comes before and is not counted.
    #[arg(long, default_value_t = 9)]
    pub rounds: usize,
    /// Images per step; the transformer takes an eighth as many sequences.
    #[arg(long, default_value_t = 128)]
    pub batch: usize,
    /// Threads of each contender.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Measure only what this matches: `cnn_*`, `*_step`, `loader`; * stands for anything.
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
    /// The Python that has PyTorch.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    pub python: PathBuf,
    /// Leave out Burn's ndarray backend, for which this program is otherwise built once more.
    #[arg(long)]
    pub no_ndarray: bool,
    /// Write the ratios to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// One repetition a turn and small data sets: shows that all of it runs, and no more.
    #[arg(long)]
    pub quick: bool,
    /// Be the process of this contender.
    #[arg(long, hide = true)]
    worker: Option<Contender>,
}

/// What `--only` knows besides the cases.
pub const PEAK_MEMORY: &str = "cnn_peak_memory";
/// What `--only` knows besides the cases.
pub const ACCUMULATE: &str = "cnn_accumulate";
/// What `--only` knows besides the cases.
pub const OPTIMIZER_STEP: &str = "optimizer_step";

impl Options {
    /// What to do as a worker, if this is to be one.
    pub fn worker(&self) -> Option<Work> {
        self.worker.map(|contender| Work {
            contender,
            batch: self.batch,
            images: case::images(self.quick),
        })
    }

    /// Whether the numbers make sense.
    pub fn check(&self) -> Result<(), String> {
        for (flag, value) in [
            ("--rounds", self.rounds),
            ("--batch", self.batch),
            ("--threads", self.threads),
        ] {
            if value == 0 {
                return Err(format!("{flag} is at least 1, found 0"));
            }
        }
        let images = case::images(self.quick);
        if self.batch > images {
            let batch = self.batch;
            return Err(format!(
                "--batch is at most {images}, the images that there are, found {batch}"
            ));
        }
        let names = || {
            let cases = Case::compared().into_iter().map(|case| case.to_string());
            cases.chain([PEAK_MEMORY, ACCUMULATE, OPTIMIZER_STEP].map(str::to_owned))
        };
        if !names().any(|name| self.wants(&name)) {
            let names: Vec<_> = names().collect();
            let only = self.only.as_deref().unwrap_or_default();
            let names = names.join(", ");
            return Err(format!("--only {only} matches nothing; there are {names}"));
        }
        Ok(())
    }

    /// Whether what is called `name` is to be measured.
    pub fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|glob| matches(glob, name))
    }
}

/// Whether the whole of `name` is `glob` with something for each `*`.
fn matches(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut ends = name.char_indices().map(|(i, _)| i).chain([name.len()]);
            ends.any(|end| matches(rest, &name[end..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (glob, name) in [
            ("*", "cnn_step"),
            ("cnn_*", "cnn_step"),
            ("*_step", "cnn_step"),
            ("c*n*ep", "cnn_step"),
            ("cnn_step", "cnn_step"),
            ("cnn_step*", "cnn_step"),
        ] {
            assert!(matches(glob, name), "{glob}");
        }
        for glob in ["cnn", "step", "*_infer", "c*_infer", "", "cnn_step_*"] {
            assert!(!matches(glob, "cnn_step"), "{glob}");
        }
    }
}
