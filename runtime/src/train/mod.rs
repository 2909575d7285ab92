//! The trainer: micro-batches, mean gradient, update, averages; epoch by epoch, the same bits every
//! time.

mod batch_norm;
mod burn_loader;
mod burn_metric;
mod checkpoint;
mod error;
mod evaluate;
mod events;
mod hook;
mod interrupt;
mod measure;
mod newton;
mod observe;
mod parameters;
mod progress;
mod ranks;
mod record;
mod step;
mod training;

use std::sync::Arc;

use burn::train::InferenceStep;
use burn::train::metric::{Adaptor, Metric, Numeric};

use crate::data::{Loader, Sampler, Source};
use crate::device;
use crate::exchange::{Alone, Exchange};
use crate::flatness::{FlatnessError, Objective};
use crate::model::{self, Batch, Model, ModelConfig};
use crate::optim::{Optimizer, OptimizerError};
use crate::schedule::{Horizon, Rate, Schedule};

pub use batch_norm::update_batch_norm;
pub use burn_loader::BurnLoader;
pub use burn_metric::evaluate_metric;
pub use checkpoint::{Checkpoint, CheckpointError, Checkpoints, Difference, Skipped};
use checkpoint::{Setting, settings};
pub use error::{TrainError, TrainFailure};
pub use evaluate::{Evaluation, evaluate};
#[cfg(feature = "tui")]
pub use events::Dashboard;
pub use events::{EarlyStopping, JsonLines, TensorBoard};
pub use hook::{Flow, Hook, HookError, Run};
use measure::Figure;
pub use measure::{Every, Measurement};
use newton::Newton;
use parameters::is_trainable;
use ranks::Ranks;
pub use record::{EpochRecord, StepRecord, Trained};
use step::Stepper;
use training::{Log, Training};

/// Trains a declared model with a declared optimizer and a declared schedule.
///
/// A step is, as far as the [optimizer](crate::optimizer) declares it:
///
/// 1. the mean gradient over the micro-batches, of all [processes](Self::exchange);
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
    settings: Settings<'a, M>,
}

/// What a trainer is told beside the three declarations.
struct Settings<'a, M> {
    epochs: usize,
    batch: usize,
    micro_batches: usize,
    seed: u64,
    workers: usize,
    validation: Option<&'a dyn Source>,
    metrics: Vec<(String, Measure<'a, M>)>,
    burn_metrics: Vec<(String, BurnMeasure<'a, M>)>,
    figures: Vec<Figure<'a>>,
    hooks: Vec<Box<dyn Hook<M> + 'a>>,
    log_every: u64,
    checkpoints: Option<Checkpoints>,
    exchange: &'a dyn Exchange,
    quiet: bool,
}

impl<'a, M: Model, O: Optimizer, S: Schedule> Trainer<'a, M, O, S> {
    /// A trainer of one epoch, at a batch of 64, with the seed 0, one loader thread and no
    /// validation.
    pub fn new(model: M, optimizer: O, schedule: S) -> Self {
        Trainer {
            model,
            optimizer,
            schedule,
            settings: Settings {
                epochs: 1,
                batch: 64,
                micro_batches: 1,
                seed: 0,
                workers: 1,
                validation: None,
                metrics: Vec::new(),
                burn_metrics: Vec::new(),
                figures: Vec::new(),
                hooks: Vec::new(),
                log_every: 50,
                checkpoints: None,
                exchange: &Alone,
                quiet: false,
            },
        }
    }

    /// How often to go through the training set.
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.settings.epochs = epochs;
        self
    }

    /// How many examples an optimizer step sees: the global batch. What is left of an epoch when
    /// the next batch would not be full is left out.
    pub fn batch(mut self, examples: usize) -> Self {
        self.settings.batch = examples;
        self
    }

    /// In how many pieces of equal size the batch goes through the model. The gradient is their
    /// mean, so the result is that of the whole batch (up to rounding, and but for statistics
    /// over a batch, such as `batch_norm`'s); the memory is that of one piece.
    pub fn micro_batches(mut self, pieces: usize) -> Self {
        self.settings.micro_batches = pieces;
        self
    }

    /// The seed of the examples' order and of every random number in training. The initial
    /// weights are drawn before, by `init`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// How many threads fetch batches ahead; 0 fetches them in between the steps.
    pub fn workers(mut self, threads: usize) -> Self {
        self.settings.workers = threads;
        self
    }

    /// Measures loss and accuracy on `source` after every epoch: those of the model that training
    /// would return at that moment, so those of the average where the optimizer declares one. For
    /// `average swa` on a model with `batch_norm` that takes a pass over the training set each time
    /// ([`update_batch_norm`]).
    pub fn validate(mut self, source: &'a dyn Source) -> Self {
        self.settings.validation = Some(source);
        self
    }

    /// Measures a metric of your own after every epoch, on the model that training would return
    /// then. [`EpochRecord::metrics`] holds it, and a `plateau(on: "name", ..)` watches it.
    pub fn metric(mut self, name: impl Into<String>, measure: impl Fn(&M) -> f64 + 'a) -> Self {
        self.settings.metrics.push((name.into(), Box::new(measure)));
        self
    }

    /// Measures a metric of Burn's on the [validation set](Self::validate) after every epoch: see
    /// [`evaluate_metric`]. [`EpochRecord::metrics`] holds it under Burn's name for it, in Burn's unit.
    ///
    /// ```
    /// use kiln::burn::train::metric::TopKAccuracyMetric;
    /// use kiln::data::digits;
    /// use kiln::prelude::*;
    ///
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
    /// let (train, test) = digits()?.split(0.8, 1)?;
    /// let run = Trainer::new(model, Plain::new(), Constant::new())
    ///     .validate(&test)
    ///     .burn_metric(TopKAccuracyMetric::new(2))
    ///     .quiet()
    ///     .fit(train)?;
    /// let (name, percent) = run.history[0].metrics.first_key_value().unwrap();
    /// assert_eq!(name, "Top-K Accuracy @ TopK(2)");
    /// assert!(*percent > 80.0);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub fn burn_metric<Me>(mut self, metric: Me) -> Self
    where
        M: InferenceStep<Input = Batch<M>>,
        Me: Metric + Numeric + 'a,
        <M as InferenceStep>::Output: Adaptor<Me::Input>,
    {
        let name = metric.name().to_string();
        let measure = move |model: &M, source: &dyn Source| {
            evaluate_metric(model, source, training::EVALUATION_BATCH, &metric)
        };
        self.settings.burn_metrics.push((name, Box::new(measure)));
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
        self.settings.figures.push(Figure {
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
        self.settings.hooks.push(Box::new(hook));
        self
    }

    /// After how many steps one is written down, with its loss and the norm of its gradient: 50 if
    /// nothing is said. The first always is. The numbers of such a step are waited for, which on a GPU
    /// takes time.
    pub fn log_every(mut self, steps: u64) -> Self {
        self.settings.log_every = steps;
        self
    }

    /// Writes the training down as it goes, so that it can be resumed; see [`Checkpoints`].
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.settings.checkpoints = Some(checkpoints);
        self
    }

    /// Trains by several processes, which all run the same program, as one.
    ///
    /// [`batch`](Self::batch) stays the global one: each process takes its share of every batch, and
    /// their mean gradient is summed before it is clipped, so that N processes at a batch of B see the
    /// same examples in the same order as one does, and come to the same weights, up to rounding and
    /// but for what each draws and measures by itself: dropout's random numbers come of (seed, step,
    /// rank), and `batch_norm` takes the statistics of a process's part. Its running statistics are
    /// averaged at each step.
    ///
    /// They begin with the weights of rank 0, whatever the others drew. Each measures its part of the
    /// validation set. Rank 0 alone shows progress, writes and reads
    /// [checkpoints](Self::checkpoints), and calls [metrics](Self::metric),
    /// [figures](Self::measure) and [hooks](Self::hook); what it comes to holds for all.
    ///
    /// What ends one ends all: [`TrainError::Exchange`] names the rank that failed, with its error; of
    /// several ranks none can train again afterwards. A signal to one of them interrupts the training of all after the same step. `update newton_cg`
    /// is refused.
    ///
    #[cfg_attr(feature = "mpi", doc = "```no_run")]
    #[cfg_attr(not(feature = "mpi"), doc = "```ignore")]
    /// use kiln::data::digits;
    /// use kiln::exchange::{Exchange, Mpi};
    /// use kiln::prelude::*;
    ///
    /// model! {
    ///     struct Net;
    ///     input image: [1, 8, 8];
    ///     let scores = image -> flatten -> linear(10);
    ///     output scores;
    ///     loss cross_entropy;
    /// }
    /// optimizer! { struct Plain; update sgd(); }
    /// schedule! { struct Constant; peak 0.1; constant; }
    ///
    /// fn main() -> kiln::Result {
    ///     let exchange = Mpi::new()?;
    ///     let model = NetConfig::new().init(&default_device()?)?;
    ///     let run = Trainer::new(model, Plain::new(), Constant::new())
    ///         .batch(256) // `mpirun -n 4`: 64 for each
    ///         .exchange(&exchange)
    ///         .fit(digits()?)?;
    ///     if exchange.rank() == 0 {
    ///         run.model.save("model.bpk")?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn exchange(mut self, exchange: &'a dyn Exchange) -> Self {
        self.settings.exchange = exchange;
        self
    }

    /// Prints nothing. Otherwise a progress bar goes to standard error if that is a terminal, and
    /// one line per epoch if it is not.
    pub fn quiet(mut self) -> Self {
        self.settings.quiet = true;
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
    pub fn fit(mut self, source: impl Source + 'static) -> Result<Trained<M>, TrainFailure<M>> {
        let source: Arc<dyn Source> = Arc::new(source);
        let exchange = self.settings.exchange;
        let setup = self.setup(&source);
        let ended = match self.plan(&source) {
            Ok(parts) => Training::new(self.model, self.settings, source, setup, parts).run(),
            Err(error) => Err(Log::default().failed(error, self.model, setup)),
        };
        if let Err(failure) = &ended {
            exchange.fail(&failure.error.to_string());
        }
        ended
    }

    fn setup(&self, source: &dyn Source) -> Run {
        let of = &self.settings;
        let device = self.model.devices().into_iter().next().unwrap_or_default();
        Run {
            model: model::name::<M>().to_owned(),
            optimizer: self.optimizer.recipe().to_string(),
            schedule: self.schedule.plan().to_string(),
            epochs: of.epochs,
            steps_per_epoch: 0,
            batch: of.batch,
            micro_batches: of.micro_batches,
            seed: of.seed,
            examples: source.len(),
            validation: of.validation.map(|source| source.len()),
            device: device::name(&device),
            processes: of.exchange.ranks(),
            steps: 0,
        }
    }

    /// Everything that can be wrong before the first step.
    fn plan(&mut self, source: &Arc<dyn Source>) -> Result<Parts, TrainError> {
        let ranks = Ranks::new(self.settings.exchange);
        let settings = &self.settings;
        for (name, found) in [
            ("epochs", settings.epochs),
            ("micro_batches", settings.micro_batches),
            (
                "log_every",
                usize::try_from(settings.log_every).unwrap_or(usize::MAX),
            ),
            ("the interval of checkpoints", self.checkpoint_interval()),
        ] {
            if found == 0 {
                return Err(TrainError::Argument {
                    name,
                    found,
                    expected: "at least 1",
                });
            }
        }
        let (batch, pieces) = (settings.batch, settings.micro_batches);
        if !batch.is_multiple_of(pieces) {
            return Err(TrainError::MicroBatches { batch, pieces });
        }
        let (rank, count) = ranks.map_or((0, 1), |ranks| (ranks.rank(), ranks.count()));
        if !(batch / pieces).is_multiple_of(count) {
            return Err(TrainError::Ranks {
                batch,
                pieces,
                ranks: count,
            });
        }
        if !is_trainable(&self.model) {
            return Err(TrainError::NothingToTrain);
        }
        let config = self.model.config();
        config.check(source)?;
        if let Some(validation) = settings.validation {
            config.check(&validation)?;
        }
        let names = settings.names().collect::<Vec<_>>();
        let twice = names
            .iter()
            .enumerate()
            .find(|(place, name)| names[..*place].contains(name));
        if let Some((_, name)) = twice {
            return Err(TrainError::TwiceNamed {
                name: (*name).clone(),
            });
        }
        if let (Some((metric, _)), None) = (settings.burn_metrics.first(), settings.validation) {
            return Err(TrainError::NoValidation {
                metric: metric.clone(),
            });
        }
        for figure in &settings.figures {
            figure.check(&self.model)?;
        }
        // The global batch bounds the steps; the loader walks the same permutation in pieces.
        let steps_per_epoch = Sampler::new(source.len(), batch, settings.seed)?.steps_per_epoch();
        let sampler = Sampler::new(source.len(), batch / pieces / count, settings.seed)?;
        let sampler = sampler.ranks(rank, count)?;
        let horizon = Horizon {
            steps: (settings.epochs as u64).saturating_mul(steps_per_epoch as u64),
            steps_per_epoch: steps_per_epoch as u64,
            batch,
        };
        let rate = self.schedule.over(&horizon)?;
        if let Some(metric) = rate.watches()
            && let Some(fix) = observe::missing(metric, self)?
        {
            let metric = metric.to_string();
            return Err(TrainError::Unobserved { metric, fix });
        }
        let written = match settings.checkpoints.is_some() || count > 1 {
            true => self.written(source)?,
            false => Vec::new(),
        };
        if let Some(ranks) = ranks {
            let mut told = written.clone();
            told.push(Setting::fixed("log_every", settings.log_every));
            let interval = settings.checkpoints.as_ref();
            let interval = interval.map(|checkpoints| checkpoints.every);
            told.push(Setting::fixed("checkpoints", format!("{interval:?}")));
            ranks.agree(told)?;
            self.model = ranks.first_model(&self.model)?;
        }
        let stepper = match self.optimizer.over(&self.model, &horizon) {
            Err(OptimizerError::NeedsLoss { .. }) => {
                Stepper::Minimiser(self.optimizer.minimiser(&self.model)?)
            }
            Err(error @ OptimizerError::NeedsProducts { .. }) => {
                let recipe = self.optimizer.recipe();
                if count > 1 {
                    let statement = recipe.rules[0].to_string();
                    return Err(TrainError::OneProcess { statement });
                }
                Stepper::Newton(Newton::new(&recipe).ok_or(error)?)
            }
            updater => Stepper::Updater(updater?),
        };
        let loader = Loader::new(source.clone(), sampler, self.settings.workers)?;
        if rank > 0 {
            let settings = &mut self.settings;
            settings.metrics.clear();
            settings.burn_metrics.clear();
            settings.figures.clear();
            settings.hooks.clear();
            settings.quiet = true;
        }
        Ok(Parts {
            written,
            loader,
            steps_per_epoch,
            rate,
            stepper,
        })
    }

    fn checkpoint_interval(&self) -> usize {
        match self.settings.checkpoints.as_ref().map(|all| all.every) {
            Some(Every::Epochs(epochs)) => epochs,
            Some(Every::Steps(steps)) => usize::try_from(steps).unwrap_or(usize::MAX),
            None => 1,
        }
    }

    /// What a checkpoint is compared by.
    fn written(&self, source: &dyn Source) -> Result<Vec<Setting>, TrainError> {
        let of = &self.settings;
        let mut written = settings(&self.model, source, of.validation, of.seed)?;
        let recipe = self.optimizer.recipe().to_string();
        written.extend([
            Setting::safe("optimizer", recipe.replace('\n', " ")),
            Setting::safe("schedule", self.schedule.plan()),
            Setting::safe("epochs", of.epochs),
            Setting::fixed("batch", of.batch),
            Setting::safe("micro-batches", of.micro_batches),
            Setting::fixed("seed", of.seed),
            Setting::safe("processes", of.exchange.ranks()),
        ]);
        Ok(written)
    }
}

/// A metric of the user's.
type Measure<'a, M> = Box<dyn Fn(&M) -> f64 + 'a>;

/// A metric of Burn's, on a data set.
type BurnMeasure<'a, M> = Box<dyn Fn(&M, &dyn Source) -> Result<f64, TrainError> + 'a>;

/// What a training works with.
struct Parts {
    loader: Loader,
    steps_per_epoch: usize,
    rate: Rate,
    stepper: Stepper,
    /// What a checkpoint is compared by.
    written: Vec<Setting>,
}
