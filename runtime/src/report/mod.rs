//! A page about a training: one HTML file, with all that it shows inside it.

mod page;
mod plots;
mod predictions;
mod text;

use std::path::{Path, PathBuf};

use crate::atomic;
use crate::data::{DataError, Source};
use crate::diagnose::{Diagnosis, diagnose};
use crate::model::{MismatchError, Model, Summary};
use crate::train::{EpochRecord, Run, StepRecord, TrainFailure, Trained};
use predictions::Predictions;

/// What a training came to, as one HTML file for people.
///
/// The file holds everything that it shows, asks no network, and opens from disk: what the training
/// [suffers from](diagnose), losses, accuracy, the learning rate, the gradient's norm, trust ratios, what
/// was [measured](crate::train::Trainer::measure), mistakes and predictions, the network and its settings.
/// A drag across a plot zooms, a double click shows all of it again. Numbers that are not finite are gaps.
///
/// ```
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::report::Report;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! { struct Plain; update sgd(); }
/// schedule! { struct Constant; peak 0.5; constant; }
///
/// let (train, test) = digits()?.split(0.8, 1)?;
/// let run = Trainer::new(NetConfig::new().init(&default_device()?)?, Plain::new(), Constant::new())
///     .epochs(3)
///     .validate(&test)
///     .quiet()
///     .fit(train)?;
/// Report::new("A line for each digit", &run)
///     .examples(&test)?
///     .write(std::env::temp_dir().join("report.html"))?;
/// # Ok::<(), kiln::Error>(())
/// ```
///
/// A [training that failed](crate::train::TrainFailure) has a report too:
///
/// ```no_run
/// # use kiln::data::digits;
/// # use kiln::prelude::*;
/// # use kiln::report::Report;
/// # model! {
/// #     struct Net;
/// #     input image: [1, 8, 8];
/// #     let scores = image -> flatten -> linear(10);
/// #     output scores;
/// #     loss cross_entropy;
/// # }
/// # optimizer! { struct Plain; update sgd(); }
/// # schedule! { struct Constant; peak 0.5; constant; }
/// # let model = NetConfig::new().init(&default_device()?)?;
/// let run = Trainer::new(model, Plain::new(), Constant::new()).fit(digits()?);
/// match &run {
///     Ok(run) => Report::new("Digits", run),
///     Err(failure) => Report::failed("Digits", failure),
/// }
/// .write("report.html")?;
/// # Ok::<(), kiln::Error>(())
/// ```
#[must_use = "nothing is written before `write`"]
#[derive(Debug)]
pub struct Report<'a, M> {
    model: &'a M,
    content: Content<'a>,
}

/// What is on the page, whatever the type of the network.
#[derive(Debug)]
struct Content<'a> {
    name: String,
    history: &'a [EpochRecord],
    log: &'a [StepRecord],
    steps: u64,
    seconds: f64,
    /// Why it ended before its last epoch.
    stopped: Option<&'a str>,
    failed: Option<String>,
    summary: Summary,
    /// The hyper-parameters as JSON.
    config: String,
    setup: &'a Run,
    diagnosis: Diagnosis,
    predictions: Option<Predictions>,
    class_names: Vec<String>,
}

impl<'a, M: Model> Report<'a, M> {
    /// A report of `run`, headed `name`.
    pub fn new(name: impl Into<String>, run: &'a Trained<M>) -> Self {
        Report {
            model: &run.model,
            content: Content {
                name: name.into(),
                history: &run.history,
                log: &run.log,
                steps: run.steps,
                seconds: run.seconds,
                stopped: run.stopped.as_deref(),
                failed: None,
                summary: run.model.summary(),
                config: burn::config::config_to_json(run.model.config()),
                setup: &run.setup,
                diagnosis: diagnose(run),
                predictions: None,
                class_names: Vec::new(),
            },
        }
    }

    /// A report of a training that failed, headed `name`: what it had come to, and why it ended.
    pub fn failed(name: impl Into<String>, failure: &'a TrainFailure<M>) -> Self {
        let mut report = Report::new(name, &*failure.trained);
        report.content.diagnosis = diagnose(failure);
        report.content.failed = Some(failure.error.to_string());
        report
    }

    /// Shows what the model makes of `source`: which classes it takes for which, and the examples that it
    /// is wrong about, those where it is surest first, beside some that are right. An input
    /// `[channels, height, width]` of 1 or 3 channels is drawn, each image from its smallest number to its
    /// largest.
    ///
    /// What is compared with numbers, not with classes, and a network with several outputs have no such
    /// table; the page says so.
    ///
    /// # Errors
    ///
    /// A data set that does not fit the model or is empty, or an error of the source.
    pub fn examples(mut self, source: &dyn Source) -> Result<Self, ReportError> {
        self.content.predictions = Some(Predictions::of(self.model, source, self.content.setup)?);
        Ok(self)
    }

    /// Shows this in place of what [`diagnose`] says of the records alone, such as a diagnosis that has
    /// looked at the [units](crate::diagnose::dead_units) of the network as well.
    pub fn diagnosis(mut self, diagnosis: Diagnosis) -> Self {
        self.content.diagnosis = diagnosis;
        self
    }

    /// What the classes are called, from class 0 on. Without this they are numbers.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.content.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The page.
    ///
    /// # Errors
    ///
    /// When there are [examples](Self::examples), and not as many names of classes as classes.
    pub fn to_html(&self) -> Result<String, ReportError> {
        let names = self.content.class_names.len();
        match &self.content.predictions {
            Some(Predictions::Classes { classes, .. }) if names != 0 && names != *classes => {
                let classes = *classes;
                Err(ReportError::ClassNames { classes, names })
            }
            _ => Ok(page::html(&self.content)),
        }
    }

    /// Writes the page to a file; an old one is replaced only once the new one is whole.
    ///
    /// # Errors
    ///
    /// Those of [`to_html`](Self::to_html), and a file that cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ReportError> {
        let path = path.as_ref();
        let html = self.to_html()?;
        atomic::write(path, &[html.as_bytes()]).map_err(|source| ReportError::Write {
            path: path.to_owned(),
            source,
        })
    }
}

/// A report that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Examples that do not fit the model.
    #[error(transparent)]
    Mismatch(#[from] MismatchError),
    /// Examples that could not be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A data set without an example.
    #[error("a report of what the model makes of examples needs at least one, found none")]
    NoExamples,
    /// Another number of names than of classes.
    #[error("the model tells {classes} classes apart, `class_names` gives {names} names")]
    ClassNames {
        /// The classes.
        classes: usize,
        /// The names.
        names: usize,
    },
    /// The file could not be written.
    #[error("cannot write the report to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
