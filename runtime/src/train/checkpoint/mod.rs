//! Checkpoints: all that a training is, in one file, at any step; and a training that goes on from it
//! as if it had never stopped.

mod error;
mod file;
mod folder;
mod settings;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use serde::{Deserialize, Serialize};

use super::Every;
use super::training::{Epoch, Log};
use crate::model::{self, Model, ModelConfig};
use crate::schedule::{Metric, MetricMode};

pub use error::{CheckpointError, Difference, Skipped};
pub(super) use file::Sections;
use folder::Best;
pub(super) use folder::Folder;
pub(super) use settings::{Setting, differences, settings};

/// Where and when a training writes itself down: all of it, so that it can be
/// [resumed](Self::resume) as if it had never stopped.
///
/// A checkpoint holds the model with its running statistics, the state of the optimizer, of the
/// schedule and of the averages, the position in the epoch, the losses and metrics so far, and what
/// [hooks](super::Hook::save) keep. On a CPU device a training that was killed anywhere and resumed
/// ends with the same bits, in weights and metrics, as one that was not. Random numbers need no
/// place in it: they come of (seed, step).
///
/// One is written every so often, when training ends, and when it is interrupted: the first Ctrl-C or
/// SIGTERM lets the step end, writes a checkpoint and leaves with
/// [`TrainError::Interrupted`](super::TrainError::Interrupted); the second ends the program at once.
///
/// Each goes to a file of its own, `step-0000000120.kiln`, which is written under another name,
/// flushed to the disk and renamed. So there is no moment at which a failure, be it of power, costs an
/// older checkpoint; a disk that is full is an error that ends the training with its model.
///
/// ```
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::schedule::{Metric, MetricMode};
/// use kiln::train::{Checkpoint, Checkpoints, Every};
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> dropout(0.1) -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! { struct Momentum; update sgd(momentum: 0.9); }
/// schedule! { struct Decay; peak 0.1; cosine; }
///
/// # let folder = std::env::temp_dir().join(format!("kiln-checkpoints-{}", std::process::id()));
/// # std::fs::remove_dir_all(&folder).ok();
/// let (train, test) = digits()?.split(0.8, 1)?;
/// let device = default_device()?;
/// let model = NetConfig::new().init(&device)?;
/// let run = Trainer::new(model, Momentum::new(), Decay::new())
///     .epochs(3)
///     .validate(&test)
///     .checkpoints(
///         Checkpoints::new(&folder)
///             .every(Every::Steps(10))
///             .keep(2)
///             .best(Metric::Accuracy, MetricMode::Max)
///             .resume(true),
///     )
///     .quiet()
///     .fit(train)?;
///
/// let best = Checkpoint::open(folder.join("best.kiln"))?;
/// let model: Net = best.model(&device)?;
/// assert!(evaluate(&model, &test, 256)?.accuracy > Some(0.8));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a trainer is to be told of it"]
pub struct Checkpoints {
    pub(super) folder: PathBuf,
    pub(super) every: Every,
    pub(super) keep: usize,
    pub(super) best: Option<(Metric, MetricMode)>,
    pub(super) resume: bool,
    pub(super) allow_changes: bool,
}

impl Checkpoints {
    /// A checkpoint after each epoch, in `folder`, which is made if it is not there; the last three
    /// are kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Checkpoints {
            folder: folder.into(),
            every: Every::Epochs(1),
            keep: 3,
            best: None,
            resume: false,
            allow_changes: false,
        }
    }

    /// How often one is written.
    pub fn every(mut self, every: Every) -> Self {
        self.every = every;
        self
    }

    /// How many of the newest are kept; `best.kiln` is another.
    pub fn keep(mut self, checkpoints: usize) -> Self {
        self.keep = checkpoints;
        self
    }

    /// Keeps the checkpoint of the epoch with the best value of `metric` as `best.kiln`, too.
    pub fn best(mut self, metric: Metric, mode: MetricMode) -> Self {
        self.best = Some((metric, mode));
        self
    }

    /// Whether to go on from the newest checkpoint that is whole. Those that are not are named on
    /// standard error, with the reason; where the folder holds none, training begins anew. Without
    /// this a folder that holds checkpoints is an error.
    ///
    /// The declarations, the data set and the numbers of the [`Trainer`](super::Trainer) have to be
    /// those of then: what differs is an error that lists it.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Whether to go on although something differs that does no harm: another schedule (but for a new
    /// plateau, which would need to have seen the epochs before), other numbers of the optimizer, more epochs, hyper-parameters that change no parameter's shape, another
    /// device, other examples of the same number. What would do harm stays an error: another batch or
    /// seed, and data of another length, which would have examples seen twice or not at all, and
    /// another network.
    ///
    /// A training that a hook had ended goes on, too.
    pub fn allow_changes(mut self, allow: bool) -> Self {
        self.allow_changes = allow;
        self
    }

    /// Where the checkpoint after `steps` steps goes.
    pub(super) fn path(&self, steps: u64) -> PathBuf {
        self.folder.join(format!("step-{steps:010}.kiln"))
    }
}

/// What the first section of a checkpoint holds.
#[derive(Serialize, Deserialize)]
pub(super) struct State<'a> {
    /// The name of the model's declaration.
    pub model: String,
    /// Its hyper-parameters, as JSON.
    pub config: String,
    pub settings: Cow<'a, [Setting]>,
    pub log: Cow<'a, Log>,
    pub epoch: Cow<'a, Epoch>,
    /// Of each hook its name, and what it keeps.
    pub hooks: Vec<(String, serde_json::Value)>,
    /// Of `update newton_cg`: its damping, and whether it stands still.
    pub newton: Option<(f64, bool)>,
    /// The best so far by the metric by which one is kept.
    pub best: Option<Best>,
}

/// A checkpoint that was read and is whole.
pub struct Checkpoint {
    pub(super) path: PathBuf,
    pub(super) state: State<'static>,
    pub(super) sections: Sections,
}

impl Checkpoint {
    /// Reads the checkpoint at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is not, or no longer, a whole checkpoint: a checksum tells of
    /// every byte.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let path = path.as_ref();
        Checkpoint::of(file::read(path)?, path)
    }

    /// That of `sections`, which are those of the file at `path`.
    pub(super) fn of(sections: Sections, path: &Path) -> Result<Self, CheckpointError> {
        let path = path.to_owned();
        match rmp_serde::from_slice(&sections.state) {
            Ok(state) => Ok(Checkpoint {
                path,
                state,
                sections,
            }),
            // Its checksum is right, so it is what somebody wrote.
            Err(_) => Err(CheckpointError::Version { path }),
        }
    }

    /// The optimizer steps that were taken.
    pub fn steps(&self) -> u64 {
        self.state.log.steps
    }

    /// The records of the epochs that were finished.
    pub fn history(&self) -> &[super::EpochRecord] {
        &self.state.log.history
    }

    /// The model, ready for inference: the average where one was measured at that moment.
    ///
    /// # Errors
    ///
    /// When the checkpoint is that of another model.
    pub fn model<M: Model>(&self, device: &Device) -> Result<M, CheckpointError> {
        let foreign = |reason: String| CheckpointError::Foreign {
            path: self.path.clone(),
            reason,
        };
        let (found, expected) = (&self.state.model, model::name::<M>());
        if found != expected {
            return Err(foreign(format!("it holds a `{found}`, not a `{expected}`")));
        }
        let config: M::Config = serde_json::from_str(&self.state.config)
            .map_err(|error| foreign(format!("its configuration does not fit: {error}")))?;
        let model = config
            .init(device)
            .map_err(|error| foreign(error.to_string()))?;
        let bytes = match self.sections.average.is_empty() {
            true => &self.sections.model,
            false => &self.sections.average,
        };
        load(model, bytes).map_err(foreign)
    }
}

/// `model` with the parameters in `bytes`.
pub(super) fn load<M: Model>(model: M, bytes: &[u8]) -> Result<M, String> {
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec()));
    let loaded = record.and_then(|record| model.try_load_record(record));
    loaded.map_err(model::reason)
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpoint")
            .field("path", &self.path)
            .field("steps", &self.steps())
            .finish_non_exhaustive()
    }
}
