//! The trainer: micro-batches, mean gradient, update, averages; epoch by epoch, the same bits every
//! time.

mod batch_norm;
mod error;
mod evaluate;
mod hook;
mod measure;
mod newton;
mod observe;
mod parameters;
mod progress;
mod record;
mod step;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use crate::data::{DataError, Loader, Sampler, Source, SplitMix64};
use crate::flatness::{FlatnessError, Objective};
use crate::model::{Model, ModelConfig};
use crate::optim::{Average, Optimizer, OptimizerError};
use crate::schedule::{Horizon, LrScheduler, Rate, Schedule};

pub use batch_norm::update_batch_norm;
pub use error::{TrainError, TrainFailure};
pub use evaluate::{Evaluation, evaluate};
pub use hook::{Flow, Hook, HookError, Run};
pub use measure::{Every, Measurement};
use measure::{Figure, measured};
use newton::Newton;
use parameters::{is_trainable, non_finite_parameter};
use progress::Progress;
pub use record::{EpochRecord, StepRecord, Trained};
use step::{Feed, Losses, Stepper};

/// Trains a declared model with a declared optimizer and a declared schedule.
///
/// A step is, as far as the [optimizer](crate::optimizer) declares it:
///
/// 1. the mean gradient over the micro-batches;
/// 2. `sharpness`: the worst point near by, and the mean gradient there, over the same
///    micro-batches with the same random numbers, so that dropout leaves out the same units (in
///    davda54's SAM each pass draws its own). These batches stay on the device for the step;
/// 3. `clip`, then `noise`, on that gradient;
/// 4. the update rule of each parameter;
/// 5. `average lookahead`, then `ema` or `swa`.
///
/// `update lbfgs` stands in place of 2 to 5: from the mean gradient on it evaluates the loss as often
/// as it asks for, over the same micro-batches with the same random numbers. A batch of the whole
/// training set makes that one function from step to step too.
///
/// The loss of a step is that of its first pass, before its update. So are the running statistics
/// of `batch_norm`: a later pass moves none. `update newton_cg` does likewise, and without dropout.
///
/// The order of the examples is a pure function of the seed and the epoch, and the random numbers
/// of a step, dropout's for one, are drawn from (seed, step): on a CPU device two runs of one
/// program give the same bits, whatever the number of workers.
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
/// assert!(run.validation().unwrap().accuracy.unwrap() > 0.8);
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
    metrics: Vec<(String, Measure<'a, M>)>,
    figures: Vec<Figure<'a>>,
    hooks: Vec<Box<dyn Hook<M> + 'a>>,
    log_every: u64,
    quiet: bool,
}

/// How far a training has come.
#[derive(Default)]
struct Log {
    history: Vec<EpochRecord>,
    log: Vec<StepRecord>,
    steps: u64,
    seconds: f64,
    stopped: Option<String>,
}

impl Log {
    fn trained<M>(self, model: M, last: Option<M>) -> Trained<M> {
        let Log {
            history,
            log,
            steps,
            seconds,
            stopped,
        } = self;
        Trained {
            model,
            last,
            history,
            log,
            steps,
            seconds,
            stopped,
        }
    }

    fn stopped<M>(self, error: impl Into<TrainError>, model: M) -> TrainFailure<M> {
        TrainFailure {
            error: error.into(),
            trained: Box::new(self.trained(model, None)),
        }
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
            metrics: Vec::new(),
            figures: Vec::new(),
            hooks: Vec::new(),
            log_every: 50,
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

    /// Measures loss and accuracy on `source` after every epoch: those of the model that training
    /// would return at that moment, so those of the average where the optimizer declares one. For
    /// `average swa` on a model with `batch_norm` that takes a pass over the training set each time
    /// ([`update_batch_norm`]).
    pub fn validate(mut self, source: &'a dyn Source) -> Self {
        self.validation = Some(source);
        self
    }

    /// Measures a metric of your own after every epoch, on the model that training would return
    /// then. [`EpochRecord::metrics`] holds it, and a `plateau(on: "name", ..)` watches it.
    pub fn metric(mut self, name: impl Into<String>, measure: impl Fn(&M) -> f64 + 'a) -> Self {
        self.metrics.push((name.into(), Box::new(measure)));
        self
    }

    /// Measures a figure of the loss surface on the way: `figure` takes the mean loss over `source`
    /// as a function of the weights, at the weights where the optimizer stands then, no average of
    /// them.
    ///
    /// It does not disturb the training, which gives the same bits without it: it works on a copy,
    /// and what is in [`flatness`](crate::flatness) draws from seeds of its own. Its time does not
    /// count as that of the training. Each gradient is one over all of `source`, and each product
    /// with the Hessian takes about two of them, so a few hundred examples that stay the same are
    /// what to measure on.
    ///
    /// [`EpochRecord::metrics`] holds the last figure of each epoch in which there was one, where a
    /// `plateau(on: "name", ..)` sees it too, and [`EpochRecord::measurements`] all of them with
    /// their steps. A figure that cannot be had, because the loss is not finite there for one, is an
    /// error in the measurement and a line on standard error, and training goes on; it stops where
    /// examples cannot be read.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use kiln::data::{Subset, digits};
    /// use kiln::flatness;
    /// use kiln::prelude::*;
    /// use kiln::train::Every;
    ///
    /// model! {
    ///     struct Net;
    ///     input image: [1, 8, 8];
    ///     let scores = image -> flatten -> linear(10);
    ///     output scores;
    ///     loss cross_entropy;
    /// }
    ///
    /// optimizer! { struct Plain; update sgd(); }
    /// schedule! { struct Constant; peak 0.1; constant; }
    ///
    /// let train = Arc::new(digits()?);
    /// let probe = Subset::new(train.clone(), (0..256).collect())?;
    /// let model = NetConfig::new().init(&default_device()?)?;
    /// let run = Trainer::new(model, Plain::new(), Constant::new())
    ///     .epochs(2)
    ///     .measure("lambda_max", Every::Epochs(2), &probe, flatness::top_eigenvalue)
    ///     .measure("slope", Every::Steps(10), &probe, |objective| {
    ///         let gradient = objective.gradient()?;
    ///         Ok(gradient.abs().max().into_scalar())
    ///     })
    ///     .quiet()
    ///     .fit(train)?;
    /// assert!(run.history[1].metrics["lambda_max"] > 0.0);
    /// assert_eq!(run.history[0].measurements[1].step, 20);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub fn measure(
        mut self,
        name: impl Into<String>,
        every: Every,
        source: &'a dyn Source,
        figure: impl Fn(&Objective<'a>) -> Result<f64, FlatnessError> + 'a,
    ) -> Self {
        self.figures.push(Figure {
            name: name.into(),
            every,
            source,
            measure: Box::new(figure),
        });
        self
    }

    /// Has `hook` act on the training's steps and epochs. Hooks are called in the order in which they
    /// were added.
    pub fn hook(mut self, hook: impl Hook<M> + 'a) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// After how many steps one is written down, with its loss and the norm of its gradient: 50 if
    /// nothing is said. The numbers of such a step are waited for, which on a GPU takes time.
    pub fn log_every(mut self, steps: u64) -> Self {
        self.log_every = steps;
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
    /// Before the first step: a model without a parameter to train, a data set that does not fit
    /// the model, a batch larger than the data set, a schedule or an optimizer that does not fit
    /// the training, a plateau on a metric that is not measured. Later: an error of the data
    /// source, a loss that is not finite, or weights that are not. The failure gives the model back
    /// with finite weights: as it was before the step that failed, or at the start of its epoch where
    /// the weights were no longer finite by then.
    pub fn fit(self, source: impl Source + 'static) -> Result<Trained<M>, TrainFailure<M>> {
        let mut log = Log::default();
        let source: Arc<dyn Source> = Arc::new(source);
        let Session {
            device,
            loader,
            steps_per_epoch,
            mut rate,
            mut stepper,
        } = match self.prepare(source.clone()) {
            Ok(session) => session,
            Err(error) => return Err(log.stopped(error, self.model)),
        };
        let mut progress = Progress::new(self.quiet, self.epochs, steps_per_epoch);
        let mut model = self.model.train();
        let mut average = None;
        for epoch in 1..=self.epochs {
            let start = Instant::now();
            // Its weights are finite: what a failure gives back if those of the step before are not.
            let sound = model.valid();
            let mut losses = Losses::new(&device, epoch, steps_per_epoch);
            let (mut measurements, mut aside) = (Vec::new(), Duration::ZERO);
            let mut batches = match loader.epoch(epoch - 1, 0) {
                Ok(batches) => batches,
                Err(error) => return Err(log.stopped(error, sound)),
            };
            progress.epoch(epoch);
            for step in 1..=steps_per_epoch {
                let lr = rate.step();
                // A pass moves the running statistics of batch norm, and one that fails moves
                // them to where no model can be.
                let before = model.valid();
                let mut feed = Feed {
                    batches: &mut batches,
                    pieces: self.micro_batches,
                    device: &device,
                    at_once: losses.at_once(),
                };
                let seed = mix(self.seed, log.steps);
                let pass = feed.gradient(&model, &stepper, seed);
                match pass.and_then(|pass| {
                    losses.push(&model, step, lr, &pass)?;
                    Ok(pass)
                }) {
                    Ok(pass) => {
                        // The update may work in place once nobody else holds the parameters.
                        drop(before);
                        model = match &mut stepper {
                            Stepper::Updater(updater) => {
                                if updater.recipe().noise.is_some() {
                                    // From the step alone, whatever its passes drew.
                                    device.seed(mix(!self.seed, log.steps));
                                }
                                updater.step(lr, model, pass.gradient)
                            }
                            Stepper::Newton(newton) => match newton.step(lr, &model, pass) {
                                Ok((model, stalled)) => {
                                    if stalled {
                                        progress.stalled(log.steps + 1);
                                    }
                                    model
                                }
                                Err(error) => return Err(log.stopped(error, sound)),
                            },
                            Stepper::Minimiser(minimiser) => {
                                match feed.minimise(minimiser, lr, model, pass, seed) {
                                    Ok(model) => model,
                                    Err(error) => return Err(log.stopped(error, sound)),
                                }
                            }
                        };
                    }
                    Err(error) => {
                        let finite = non_finite_parameter(&before).is_none();
                        return Err(log.stopped(error, if finite { before } else { sound }));
                    }
                }
                log.steps += 1;
                progress.step(losses.last(), lr);
                let begun = Instant::now();
                match measured(&self.figures, &model, log.steps, None, &mut progress) {
                    Ok(measured) => measurements.extend(measured),
                    Err(error) => {
                        let here = model.valid();
                        let finite = non_finite_parameter(&here).is_none();
                        return Err(log.stopped(error, if finite { here } else { sound }));
                    }
                }
                aside += begun.elapsed();
            }
            let seconds = (start.elapsed() - aside).as_secs_f64();
            log.seconds += seconds;
            let trained = model.valid();
            // A loss tells of the weights before it; nothing else tells of the last ones.
            if let Some(parameter) = non_finite_parameter(&trained) {
                return Err(log.stopped(TrainError::Diverged { epoch, parameter }, sound));
            }
            match measured(&self.figures, &model, log.steps, Some(epoch), &mut progress) {
                Ok(measured) => measurements.extend(measured),
                Err(error) => return Err(log.stopped(error, trained)),
            }
            let looked_at = self.validation.is_some() || !self.metrics.is_empty();
            let averaged = if epoch == self.epochs || looked_at {
                device.seed(mix(self.seed, log.steps));
                averaged(&stepper, &model, &source, self.batch / self.micro_batches)
            } else {
                Ok(None)
            };
            let evaluated = match averaged {
                Ok(averaged) => {
                    average = averaged;
                    let returned = average.as_ref().unwrap_or(&trained);
                    let measure = |s| evaluate(returned, s, EVALUATION_BATCH);
                    self.validation.map(measure).transpose()
                }
                Err(error) => Err(error),
            };
            let validation = match evaluated {
                Ok(validation) => validation,
                Err(error) => return Err(log.stopped(error, trained)),
            };
            let returned = average.as_ref().unwrap_or(&trained);
            let metrics = self.metrics.iter();
            let metrics = metrics.map(|(name, measure)| (name.clone(), measure(returned)));
            let figures = measurements.iter();
            let figures =
                figures.flat_map(|one| Some((one.name.clone(), *one.result.as_ref().ok()?)));
            let record = EpochRecord {
                epoch,
                steps: log.steps,
                trust_ratios: BTreeMap::new(),
                loss: losses.mean(),
                rate: rate.at(log.steps - 1),
                validation,
                metrics: metrics.chain(figures).collect(),
                measurements,
                seconds,
            };
            if let Some(value) = rate.watches().and_then(|metric| record.measured(metric)) {
                rate.observe(value);
            }
            progress.finished(&record);
            log.history.push(record);
        }
        Ok(match average {
            Some(average) => log.trained(average, Some(model.valid())),
            None => log.trained(model.valid(), None),
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
        if !is_trainable(&self.model) {
            return Err(TrainError::NothingToTrain);
        }
        let config = self.model.config();
        config.check(&source)?;
        if let Some(validation) = self.validation {
            config.check(&validation)?;
        }
        for figure in &self.figures {
            figure.check(&self.model)?;
        }
        // The global batch bounds the steps; the loader walks the same permutation in pieces.
        let steps_per_epoch = Sampler::new(source.len(), batch, self.seed)?.steps_per_epoch();
        let sampler = Sampler::new(source.len(), batch / pieces, self.seed)?;
        let horizon = Horizon {
            steps: (self.epochs as u64).saturating_mul(steps_per_epoch as u64),
            steps_per_epoch: steps_per_epoch as u64,
            batch,
        };
        let device = self.model.devices().into_iter().next().unwrap_or_default();
        let rate = self.schedule.over(&horizon)?;
        if let Some(metric) = rate.watches()
            && let Some(fix) = observe::missing(metric, self)?
        {
            let metric = metric.to_string();
            return Err(TrainError::Unobserved { metric, fix });
        }
        let stepper = match self.optimizer.over(&self.model, &horizon) {
            Err(OptimizerError::NeedsLoss { .. }) => {
                Stepper::Minimiser(self.optimizer.minimiser(&self.model)?)
            }
            Err(error @ OptimizerError::NeedsProducts { .. }) => {
                let newton = Newton::new(&self.optimizer.recipe());
                Stepper::Newton(newton.ok_or(error)?)
            }
            updater => Stepper::Updater(updater?),
        };
        Ok(Session {
            device: device.autodiff(),
            loader: Loader::new(source, sampler, self.workers)?,
            steps_per_epoch,
            rate,
            stepper,
        })
    }
}

/// The average that `stepper` keeps of `model`, with running statistics of its own.
fn averaged<M: Model>(
    stepper: &Stepper,
    model: &M,
    source: &dyn Source,
    batch: usize,
) -> Result<Option<M>, TrainError> {
    let Stepper::Updater(updater) = stepper else {
        return Ok(None);
    };
    let Some(average) = updater.averaged(model) else {
        return Ok(None);
    };
    let mut kinds = updater.recipe().average.iter();
    if kinds.any(|kind| matches!(kind, Average::Swa { .. })) {
        return update_batch_norm(&average, source, batch).map(Some);
    }
    Ok(Some(average))
}

/// How many examples are measured at a time.
const EVALUATION_BATCH: usize = 256;

/// A metric of the user's.
type Measure<'a, M> = Box<dyn Fn(&M) -> f64 + 'a>;

/// A training that can begin.
struct Session {
    device: Device,
    loader: Loader,
    steps_per_epoch: usize,
    rate: Rate,
    stepper: Stepper,
}

/// The seed of a step's random numbers.
fn mix(seed: u64, step: u64) -> u64 {
    SplitMix64::new(seed ^ SplitMix64::new(step).next()).next()
}

/// The end of the data before the end of the epoch: a source whose length changed.
fn ended() -> TrainError {
    let source = "the data source ended before the epoch did".to_owned();
    TrainError::Data(DataError::Source(source.into()))
}
