//! What can be wrong with a checkpoint.

use std::fmt::{self, Write};
use std::io;
use std::path::PathBuf;

/// A checkpoint that could not be written, or not be gone on from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file or the folder could not be written.
    #[error(
        "could not write the checkpoint {}: {source}; those before it are as they were",
        path.display()
    )]
    Write {
        /// The file, or the folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The state of the training could not be put into bytes.
    #[error("could not write the checkpoint {}: {reason}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file or the folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file, or the folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not, or no longer, a checkpoint.
    #[error("{} is no whole checkpoint: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file that is whole, and that this version of Kiln does not understand.
    #[error(
        "{} was written by another version of Kiln: go on with that one, or begin anew in another \
         folder",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint of something else.
    #[error("{} is a checkpoint of another training: {reason}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A training that was to begin in a folder with checkpoints of another.
    #[error(
        "{} holds a checkpoint of step {steps} already: go on from it (`Checkpoints::resume`), name \
         another folder, or remove it",
        folder.display()
    )]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// The step of the newest.
        steps: u64,
    },
    /// A folder with checkpoints of which none is whole.
    #[error(
        "{} holds no checkpoint that is whole:{}\nremove them to begin anew",
        folder.display(), lines(skipped)
    )]
    NoneWhole {
        /// The folder.
        folder: PathBuf,
        /// Each, and why not.
        skipped: Vec<Skipped>,
    },
    /// A training that is not the one that was written down.
    #[error(
        "{} was written by another training; it differs in{}\n{}",
        path.display(), lines(differences), advice(differences)
    )]
    Changed {
        /// The checkpoint.
        path: PathBuf,
        /// In what.
        differences: Vec<Difference>,
    },
    /// Signals cannot be listened to.
    #[error("cannot listen to Ctrl-C and SIGTERM: {source}")]
    Signals {
        /// The system's reason.
        source: io::Error,
    },
}

/// A file that is no whole checkpoint, and was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Something in which a training differs from the one that wrote a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub name: String,
    /// What it was when the checkpoint was written.
    pub then: Option<String>,
    /// What it is now.
    pub now: Option<String>,
    /// Whether [`allow_changes`](super::Checkpoints::allow_changes) allows it.
    pub safe: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let (then, now) = (value(&self.then), value(&self.now));
        write!(f, "{}: {then} then, {now} now", self.name)
    }
}

fn lines<T: fmt::Display>(items: &[T]) -> String {
    items.iter().fold(String::new(), |mut lines, item| {
        let _ = write!(lines, "\n  {item}");
        lines
    })
}

fn advice(differences: &[Difference]) -> String {
    let names = |safe| {
        let names = differences.iter().filter(|one| one.safe == safe);
        names.map(|one| one.name.as_str()).collect::<Vec<_>>()
    };
    let (safe, harmful) = (names(true), names(false));
    match (safe.is_empty(), harmful.is_empty()) {
        (_, true) => "put it back, or allow it: `Checkpoints::allow_changes`".to_owned(),
        (true, false) => {
            "the training cannot go on with that: put it back, or begin anew in another folder"
                .to_owned()
        }
        (false, false) => format!(
            "the training cannot go on with another {}: put that back, or begin anew in another \
             folder; {} could be allowed (`Checkpoints::allow_changes`)",
            harmful.join(", "),
            safe.join(", ")
        ),
    }
}
