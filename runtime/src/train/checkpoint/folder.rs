//! A folder of checkpoints: the newest that is whole, and those that are kept.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Checkpoint, CheckpointError, Checkpoints, Sections, Skipped};
use crate::schedule::{Metric, MetricMode};
use crate::train::{EpochRecord, Every};

/// The checkpoints of a training at work.
pub(crate) struct Folder {
    checkpoints: Checkpoints,
    /// The best so far by the metric by which one is kept.
    pub best: Option<Best>,
}

/// The best value of a metric.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Best {
    metric: Metric,
    mode: MetricMode,
    value: f64,
}

/// What the best checkpoint is called.
const BEST: &str = "best.kiln";

impl Folder {
    /// Opens the folder of `checkpoints`: the checkpoint to go on from, and those that were passed
    /// over.
    pub(crate) fn open(
        checkpoints: Checkpoints,
    ) -> Result<(Self, Option<Checkpoint>, Vec<Skipped>), CheckpointError> {
        let folder = &checkpoints.folder;
        fs::create_dir_all(folder).map_err(|source| CheckpointError::Write {
            path: folder.clone(),
            source,
        })?;
        // What a process was at when it was killed.
        for (_, partial) in numbered(folder, ".kiln.partial")? {
            if fs::symlink_metadata(&partial).is_ok_and(|partial| partial.is_file()) {
                let _ = fs::remove_file(partial);
            }
        }
        let mut files = list(folder)?;
        let best = folder.join(BEST);
        if best.exists() {
            // Where no other is left it is the newest.
            files.insert(0, (0, best));
        }
        if let (Some((steps, path)), false) = (files.last(), checkpoints.resume) {
            let steps = match Checkpoint::open(path) {
                Ok(checkpoint) => checkpoint.steps(),
                Err(_) => *steps,
            };
            let folder = folder.clone();
            return Err(CheckpointError::Occupied { folder, steps });
        }
        let (mut newest, mut skipped) = (None, Vec::new());
        for (_, path) in files.into_iter().rev() {
            match Checkpoint::open(&path) {
                Ok(checkpoint) => {
                    newest = Some(checkpoint);
                    break;
                }
                Err(CheckpointError::Damaged { path, reason }) => {
                    skipped.push(Skipped { path, reason });
                }
                Err(CheckpointError::Read { path, source }) => {
                    let reason = source.to_string();
                    skipped.push(Skipped { path, reason });
                }
                Err(error) => return Err(error),
            }
        }
        if newest.is_none() && !skipped.is_empty() {
            let folder = folder.clone();
            return Err(CheckpointError::NoneWhole { folder, skipped });
        }
        let best = newest.as_ref().and_then(|newest| newest.state.best.clone());
        // The best by another metric says nothing.
        let best = best.filter(|best| {
            checkpoints
                .best
                .as_ref()
                .is_some_and(|(metric, mode)| (metric, mode) == (&best.metric, &best.mode))
        });
        let opened = Folder { best, checkpoints };
        Ok((opened, newest, skipped))
    }

    /// Whether one is to be written after `steps` steps.
    pub(crate) fn is_due(&self, steps: u64) -> bool {
        matches!(self.checkpoints.every, Every::Steps(every) if steps.is_multiple_of(every))
    }

    /// Whether one is to be written after the last epoch of `history`.
    pub(crate) fn is_due_after(&self, history: &[EpochRecord]) -> bool {
        let Some(record) = history.last() else {
            return false;
        };
        match self.checkpoints.every {
            Every::Epochs(every) => record.epoch.is_multiple_of(every),
            Every::Steps(_) => self.is_due(record.steps),
        }
    }

    /// Whether `record` is better than all before it, by the metric by which one is kept.
    pub(crate) fn improved(&mut self, record: &EpochRecord) -> bool {
        let Some((metric, mode)) = &self.checkpoints.best else {
            return false;
        };
        let Some(value) = record.measured(metric).filter(|value| !value.is_nan()) else {
            return false;
        };
        let better = self.best.as_ref().is_none_or(|best| match mode {
            MetricMode::Min => value < best.value,
            MetricMode::Max => value > best.value,
        });
        if better {
            self.best = Some(Best {
                metric: metric.clone(),
                mode: *mode,
                value,
            });
        }
        better
    }

    /// Where the checkpoint after `steps` steps goes.
    pub(crate) fn path(&self, steps: u64) -> PathBuf {
        self.checkpoints.path(steps)
    }

    /// Writes the checkpoint after `steps` steps, and removes those that are not to be kept.
    pub(crate) fn save(&self, sections: &Sections, steps: u64) -> Result<(), CheckpointError> {
        sections.write(&self.path(steps))?;
        let mut files = list(&self.checkpoints.folder)?;
        // Those of later steps are damaged, or this would have gone on from them.
        files.retain(|(at, _)| *at <= steps);
        let superfluous = files.len().saturating_sub(self.checkpoints.keep.max(1));
        for (_, path) in &files[..superfluous] {
            // It will be tried again after the next one.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Writes the best checkpoint.
    pub(crate) fn save_best(&self, sections: &Sections) -> Result<(), CheckpointError> {
        sections.write(&self.checkpoints.folder.join(BEST))
    }
}

/// The checkpoints in `folder` by their steps, the oldest first.
fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
    let mut files = numbered(folder, ".kiln")?;
    files.sort();
    Ok(files)
}

/// The files in `folder` that are called by a step and end like this.
fn numbered(folder: &Path, end: &str) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
    let unread = |source| CheckpointError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let steps = name.and_then(|name| name.strip_prefix("step-")?.strip_suffix(end));
        if let Some(steps) = steps.and_then(|steps| steps.parse().ok()) {
            files.push((steps, path));
        }
    }
    Ok(files)
}
