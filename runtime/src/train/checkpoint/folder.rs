//! A folder of checkpoints: the newest that is whole, and those that are kept.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Checkpoint, CheckpointError, Checkpoints, Sections, Skipped};
use crate::schedule::MetricMode;
use crate::train::{EpochRecord, Every};

/// The checkpoints of a training at work.
pub(crate) struct Folder {
    checkpoints: Checkpoints,
    /// The best value of the metric by which one is kept.
    pub best: Option<f64>,
    /// The steps of the last that was written.
    pub last: Option<u64>,
}

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
        let files = list(folder)?;
        let (mut newest, mut skipped) = (None, Vec::new());
        if let (Some((steps, _)), false) = (files.last(), checkpoints.resume) {
            let (folder, steps) = (folder.clone(), *steps);
            return Err(CheckpointError::Occupied { folder, steps });
        }
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
        let opened = Folder {
            best: newest.as_ref().and_then(|newest| newest.state.best),
            last: newest.as_ref().map(Checkpoint::steps),
            checkpoints,
        };
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
        let better = self.best.is_none_or(|best| match mode {
            MetricMode::Min => value < best,
            MetricMode::Max => value > best,
        });
        if better {
            self.best = Some(value);
        }
        better
    }

    /// Where the checkpoint after `steps` steps goes.
    pub(crate) fn path(&self, steps: u64) -> PathBuf {
        self.checkpoints.path(steps)
    }

    /// Writes the checkpoint after `steps` steps, and removes those that are not to be kept.
    pub(crate) fn save(&mut self, sections: &Sections, steps: u64) -> Result<(), CheckpointError> {
        sections.write(&self.path(steps))?;
        self.last = Some(steps);
        let files = list(&self.checkpoints.folder)?;
        let superfluous = files.len().saturating_sub(self.checkpoints.keep.max(1));
        for (_, path) in &files[..superfluous] {
            // It will be tried again after the next one.
            let _ = fs::remove_file(path);
        }
        Ok(())
    }

    /// Writes the best checkpoint.
    pub(crate) fn save_best(&self, sections: &Sections) -> Result<(), CheckpointError> {
        sections.write(&self.checkpoints.folder.join("best.kiln"))
    }
}

/// The checkpoints in `folder` by their steps, the oldest first.
fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
    let unread = |source| CheckpointError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let steps = name.and_then(|name| name.strip_prefix("step-")?.strip_suffix(".kiln"));
        if let Some(steps) = steps.and_then(|steps| steps.parse().ok()) {
            files.push((steps, path));
        }
    }
    files.sort();
    Ok(files)
}
