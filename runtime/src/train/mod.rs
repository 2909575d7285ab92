//! The trainer: micro-batches, mean gradient, clip, update; epoch by epoch, the same bits every
//! time.

mod error;
mod evaluate;
mod progress;
mod step;

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::data::{DataError, Loader, Sampler, Source};
use crate::model::{Model, ModelConfig};
use crate::optim::{Optimizer, Updater};
use crate::schedule::{Horizon, Rate, Schedule};

pub use error::{TrainError, TrainFailure};
pub use evaluate::{Evaluation, evaluate};
use progress::Progress;
use step::{Losses, gradient};

/// Trains a declared model with a declared optimizer and a declared schedule.
///
/// A step is: micro-batches, their mean gradient, the optimizer's clip, its update. The order of
/// the examples is a pure function of the seed and the epoch, and the random numbers of a step,
/// dropout's for one, are drawn from (seed, step): on a CPU device two runs of one program give
/// the same bits, whatever the number of workers.
///
/// ```
/// use kiln::prelude::*;
/// use kiln::data::digits;
///
/// model! {
///     /// One hidden layer.
///     pub struct Mlp { hidden: usize = 32 }
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(hidden) -> relu -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
///
/// optimizer! {
///     pub struct Momentum { }
///     update sgd(momentum: 0.9);
/// }
///
/// schedule! {
///     pub struct Decay { }
///     peak 0.1;
///     cosine(to: 0.0);
/// }
///
/// let (train, test) = digits()?.split(0.8, 1)?;
/// let device = default_device()?;
/// let model = MlpConfig::new().init(&device)?;
/// let run = Trainer::new(model, Momentum::new(), Decay::new())
///     .epochs(3)
///     .batch(64)
///     .validate(&test)
///     .quiet()
///     .fit(train)?;
/// assert!(run.last().test.unwrap().accuracy.unwrap() > 0.8);
/// # Ok::<(), kiln::Error>(())
/// ```
#[must_use = "nothing is trained before `fit`"]
pub struct Trainer<'a, M, O, S> {
    model: M,
    optimizer: O,
    schedule: S,
    epochs: usize,
    batch: usize,
    micro_batches: usize,
    seed: u64,
    workers: usize,
    validation: Option<&'a dyn Source>,
    quiet: bool,
}

/// A trained model and how it came to be.
#[derive(Debug)]
pub struct Trained<M> {
    /// The model, ready for inference; `train()` takes it back to training.
    pub model: M,
    /// One record per epoch.
    pub history: Vec<EpochRecord>,
    /// The number of optimizer steps.
    pub steps: u64,
    /// The time that training took, validation left out.
    pub seconds: f64,
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The mean training loss over the epoch's steps, each taken before its update.
    pub loss: f64,
    /// The learning rate of its last step.
    pub rate: f64,
    /// Loss and accuracy on the validation set after it.
    pub test: Option<Evaluation>,
    /// The time that its steps took, in seconds.
    pub seconds: f64,
}

impl<M> Trained<M> {
    /// The record of the last epoch.
    pub fn last(&self) -> &EpochRecord {
        // `fit` refuses a training of no epochs.
        &self.history[self.history.len() - 1]
    }
}

impl<'a, M: Model, O: Optimizer, S: Schedule> Trainer<'a, M, O, S> {
    /// A trainer of one epoch, at a batch of 64, with the seed 0, one loader thread and no
    /// validation.
    pub fn new(model: M, optimizer: O, schedule: S) -> Self {
        Trainer {
            model,
            optimizer,
            schedule,
            epochs: 1,
            batch: 64,
            micro_batches: 1,
            seed: 0,
            workers: 1,
            validation: None,
            quiet: false,
        }
    }

    /// How often to go through the training set.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// How many examples an optimizer step sees: the global batch. What is left of an epoch when
    /// the next batch would not be full is left out.
    pub fn batch(mut self, examples: usize) -> Self {
        self.batch = examples;
        self
    }

    /// In how many pieces of equal size the batch goes through the model. The gradient is their
    /// mean, so the result is that of the whole batch (up to rounding, and but for statistics
    /// over a batch, such as `batch_norm`'s); the memory is that of one piece.
    pub fn micro_batches(mut self, pieces: usize) -> Self {
        self.micro_batches = pieces;
        self
    }

    /// The seed of the examples' order and of every random number in training. The initial
    /// weights are drawn before, by `init`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many threads fetch batches ahead; 0 fetches them in between the steps.
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads;
        self
    }

    /// Measures loss and accuracy on `source` after every epoch.
    pub fn validate(mut self, source: &'a dyn Source) -> Self {
        self.validation = Some(source);
        self
    }

    /// Prints nothing. Otherwise a progress bar goes to standard error if that is a terminal, and
    /// one line per epoch if it is not.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Trains on `source`.
    ///
    /// # Errors
    ///
    /// Before the first step: a data set that does not fit the model, a batch larger than the
    /// data set, a schedule that does not fit the training. Later: an error of the data source,
    /// or a loss that is not finite. The failure gives the model back as it was before the step
    /// that failed (on a GPU, where losses are read every few steps, as it was when the failure
    /// was noticed).
    #[allow(clippy::result_large_err, reason = "it is returned once in a training")]
    pub fn fit(self, source: impl Source + 'static) -> Result<Trained<M>, TrainFailure<M>> {
        let mut history = Vec::new();
        let session = match self.prepare(Arc::new(source)) {
            Ok(session) => session,
            Err(error) => {
                return Err(TrainFailure {
                    error,
                    model: Box::new(self.model),
                    history,
                });
            }
        };
        let Session {
            loader,
            steps_per_epoch,
            rate,
            mut updater,
        } = session;
        let device = self.device();
        let mut progress = Progress::new(self.quiet, self.epochs, steps_per_epoch);
        let mut model = self.model.train();
        let (mut steps, mut seconds) = (0, 0.0);
        for epoch in 0..self.epochs {
            let start = Instant::now();
            let mut losses = Losses::new(&device, epoch, steps_per_epoch);
            let mut batches = match loader.epoch(epoch, 0) {
                Ok(batches) => batches,
                Err(error) => return Err(stopped(error, model, history)),
            };
            progress.epoch(epoch);
            for step in 0..steps_per_epoch {
                let lr = rate.at(steps);
                device.seed(mix(self.seed, steps));
                // A pass moves the running statistics of batch norm, and one that fails moves them
                // to where no model can be.
                let before = model.valid();
                let pass = gradient(&model, &mut batches, self.micro_batches, &losses, &device);
                match pass.and_then(|pass| losses.push(&model, step, lr, pass)) {
                    Ok(gradient) => {
                        // The update may work in place once nobody else holds the parameters.
                        drop(before);
                        model = updater.step(lr, model, gradient);
                    }
                    Err(error) => return Err(stopped(error, before, history)),
                }
                steps += 1;
                progress.step(losses.last(), lr);
            }
            let epoch_seconds = start.elapsed().as_secs_f64();
            seconds += epoch_seconds;
            let test = self
                .validation
                .map(|source| evaluate(&model, source, EVALUATION_BATCH));
            let test = match test.transpose() {
                Ok(test) => test,
                Err(error) => return Err(stopped(error, model, history)),
            };
            let record = EpochRecord {
                epoch: epoch + 1,
                loss: losses.mean(),
                rate: rate.at(steps - 1),
                test,
                seconds: epoch_seconds,
            };
            progress.finished(&record);
            history.push(record);
        }
        Ok(Trained {
            model: model.valid(),
            history,
            steps,
            seconds,
        })
    }

    /// Everything that can be wrong before the first step.
    fn prepare(&self, source: Arc<dyn Source>) -> Result<Session, TrainError> {
        for (name, found) in [
            ("epochs", self.epochs),
            ("micro_batches", self.micro_batches),
        ] {
            if found == 0 {
                return Err(TrainError::Argument {
                    name,
                    found,
                    expected: "at least 1",
                });
            }
        }
        let (batch, pieces) = (self.batch, self.micro_batches);
        if !batch.is_multiple_of(pieces) {
            return Err(TrainError::MicroBatches { batch, pieces });
        }
        let config = self.model.config();
        config.check(&source)?;
        if let Some(validation) = self.validation {
            config.check(&validation)?;
        }
        // The global batch bounds the steps; the loader walks the same permutation in pieces.
        let steps_per_epoch = Sampler::new(source.len(), batch, self.seed)?.steps_per_epoch();
        let sampler = Sampler::new(source.len(), batch / pieces, self.seed)?;
        let horizon = Horizon {
            steps: (self.epochs as u64).saturating_mul(steps_per_epoch as u64),
            steps_per_epoch: steps_per_epoch as u64,
            batch,
        };
        Ok(Session {
            loader: Loader::new(source, sampler, self.workers)?,
            steps_per_epoch,
            rate: self.schedule.over(&horizon)?,
            updater: self.optimizer.init(&self.model)?,
        })
    }

    fn device(&self) -> Device {
        let device = self.model.devices().into_iter().next().unwrap_or_default();
        device.autodiff()
    }
}

/// How many examples are measured at a time.
const EVALUATION_BATCH: usize = 256;

/// A training that can begin.
struct Session {
    loader: Loader,
    steps_per_epoch: usize,
    rate: Rate,
    updater: Updater,
}

fn stopped<M: Model>(
    error: impl Into<TrainError>,
    model: M,
    history: Vec<EpochRecord>,
) -> TrainFailure<M> {
    TrainFailure {
        error: error.into(),
        model: Box::new(model.valid()),
        history,
    }
}

/// The seed of a step's random numbers: SplitMix64's finalizer over both, so that neighbouring
/// steps and neighbouring seeds have nothing in common.
fn mix(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_add((step + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The end of the data before the end of the epoch: a source whose length changed.
fn ended() -> TrainError {
    let source = "the data source ended before the epoch did".to_owned();
    TrainError::Data(DataError::Source(source.into()))
}
