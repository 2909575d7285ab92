//! What can go wrong with data, and what to do about it.

use std::{fmt::Display, io, path::PathBuf};

use thiserror::Error;

/// An error of the data module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// An example was asked for that does not exist.
    #[error("example {index} was asked for, but there are {len}, counted from 0")]
    Index {
        /// The index that was asked for.
        index: usize,
        /// How many examples there are.
        len: usize,
    },

    /// A buffer holds another number of values than its shape and the number of examples imply.
    #[error("expected {expected} {what}, found {found}; {help}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// The number that the other arguments imply.
        expected: usize,
        /// The number that was given.
        found: usize,
        /// Where the expected number comes from.
        help: &'static str,
    },

    /// A shape that no example can have.
    #[error(
        "shape {shape:?} has a dimension of 0, or more elements than memory has addresses; \
         give the shape of one example, without the batch dimension"
    )]
    Shape {
        /// The shape that was given.
        shape: Vec<usize>,
    },

    /// A class label that is not below the number of classes.
    #[error(
        "example {index} has label {label}, expected a label below {classes}; \
         labels count from 0: raise the number of classes or mend the label"
    )]
    Label {
        /// The example.
        index: usize,
        /// Its label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },

    /// An argument out of its range.
    #[error("{name}: expected {expected}, found {found}")]
    Argument {
        /// The argument's name.
        name: &'static str,
        /// Its range, and what bounds it.
        expected: String,
        /// What was given.
        found: String,
    },

    /// A file or folder could not be opened or read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// A folder holds none of the names under which a data file is published.
    #[error(
        "{folder} holds no {what}: expected one of {tried}; \
         download the file into this folder, or name the folder that has it",
        folder = .folder.display(), tried = .tried.join(", ")
    )]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
        /// What the file holds.
        what: &'static str,
        /// The names that were tried.
        tried: Vec<String>,
    },

    /// A file's content is not what its format says.
    #[error("{path}, byte {offset}: expected {expected}, found {found}; {help}", path = .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where, counted in the content: after unpacking if the file is gzipped.
        offset: u64,
        /// What the format asks for at this place.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        help: &'static str,
    },

    /// A file that is no image, no table, or a damaged one.
    #[error("cannot make sense of {path}: {source}", path = .path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A field of a table is not what it has to be.
    #[error(
        "{path}, line {line}, column {column}: expected {expected}, found `{found}`; \
         mend or remove the row",
        path = .path.display()
    )]
    Field {
        /// The file.
        path: PathBuf,
        /// The line on which its row begins, counted from 1.
        line: u64,
        /// The name of its column, or the column's number counted from 0 where it has no name.
        column: String,
        /// What has to be there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A thread of the loader could not be started.
    #[error("cannot start worker thread {worker} of {workers}: {source}; ask for fewer workers")]
    Thread {
        /// The thread, counted from 1.
        worker: usize,
        /// How many were asked for.
        workers: usize,
        /// The system's reason.
        source: io::Error,
    },

    /// A source panicked while it gathered a batch.
    #[error("the data source panicked while it gathered step {step}: {message}")]
    Panic {
        /// The step whose batch was being gathered.
        step: usize,
        /// What the panic said.
        message: String,
    },

    /// A source gave other tensors than it said it would.
    #[error(
        "the data source gave a batch of shapes {found:?}, expected one tensor of {rank} \
         dimensions, the batch first; mend its `gather` or its `inputs`"
    )]
    Rank {
        /// The number of dimensions that the model takes.
        rank: usize,
        /// The shapes that were given.
        found: Vec<Vec<usize>>,
    },

    /// A source gave a batch of other shapes than it said it would.
    #[error(
        "the data source gave a batch of shapes {found:?}, expected {expected:?}, the batch first; \
         mend its `gather`, or what its `inputs` and `target` say"
    )]
    Shapes {
        /// What the source says of its examples, and how many were asked for.
        expected: Vec<Vec<usize>>,
        /// The shapes that were given.
        found: Vec<Vec<usize>>,
    },

    /// An error of a [`Source`](super::Source) outside this crate.
    #[error(transparent)]
    Source(#[from] Box<dyn std::error::Error + Send + Sync>),
}

impl DataError {
    pub(super) fn argument(
        name: &'static str,
        expected: impl Into<String>,
        found: impl Display,
    ) -> Self {
        Self::Argument {
            name,
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}
