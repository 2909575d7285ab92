//! A training at work: step by step, epoch by epoch.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use burn::config::config_to_json;
use burn::store::RecordError;
use burn::tensor::{Bytes, Device};
use serde::{Deserialize, Serialize};

use super::batch_norm::Statistics;
use super::checkpoint::{Checkpoint, Folder, Sections, Setting, State, differences, load};
use super::evaluate::evaluate_among;
use super::interrupt::Interrupt;
use super::measure::measured;
use super::parameters::non_finite_parameter;
use super::progress::Progress;
use super::ranks::Ranks;
use super::step::{Feed, Losses, Moment, Pass, Stepper};
use super::{
    CheckpointError, Checkpoints, EpochRecord, Flow, Measurement, Parts, Run, Settings, StepRecord,
    TrainError, TrainFailure, Trained, update_batch_norm,
};
use crate::data::{Batches, Loader, Source, SplitMix64};
use crate::model::{self, Model};
use crate::optim::{Average, UpdaterRecord, global_norm, trust_ratios};
use crate::schedule::{LrScheduler, LrSchedulerRecord, Rate};

/// How many examples are measured at a time.
pub(super) const EVALUATION_BATCH: usize = 256;

/// The epochs whose trust ratios are kept, at most: a training of thousands has thousands of numbers
/// in each.
const RATIOS: usize = 200;

/// A training between two steps.
pub(super) struct Training<'a, M: Model> {
    settings: Settings<'a, M>,
    source: Arc<dyn Source>,
    device: Device,
    loader: Loader,
    setup: Run,
    rate: Rate,
    stepper: Stepper,
    /// The model after the last step; none while the optimizer may change it in place.
    latest: Option<M>,
    /// The model at the start of the epoch. Its weights are finite: what a failure gives back where
    /// those of `latest` are not.
    sound: M,
    /// The other processes, and what is to be kept in step with theirs beside the weights.
    ranks: Option<(Ranks<'a>, Arc<Statistics>)>,
    /// The average of the weights, and the steps behind it.
    average: Option<(u64, Option<M>)>,
    log: Log,
    epoch: Epoch,
    since: Since,
    written: Vec<Setting>,
    folder: Option<Folder>,
    /// Whether anything happened since the last checkpoint.
    unsaved: bool,
    interrupt: Option<Interrupt>,
    progress: Progress,
}

/// How far a training has come.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Log {
    pub history: Vec<EpochRecord>,
    pub log: Vec<StepRecord>,
    pub steps: u64,
    pub seconds: f64,
    pub stopped: Option<String>,
}

/// The epoch at hand.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Epoch {
    /// The steps of it that were taken.
    pub steps: usize,
    pub losses: Losses,
    pub measurements: Vec<Measurement>,
    pub trust_ratios: BTreeMap<String, f64>,
    pub seconds: f64,
}

/// The steps since the last record of one.
#[derive(Default)]
struct Since {
    steps: u64,
    time: Duration,
}

impl Log {
    fn trained<M>(self, model: M, last: Option<M>, setup: Run) -> Trained<M> {
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
            setup,
            history,
            log,
            steps,
            seconds,
            stopped,
        }
    }

    /// The failure of a training that has come so far.
    pub(super) fn failed<M>(
        self,
        error: impl Into<TrainError>,
        model: M,
        setup: Run,
    ) -> TrainFailure<M> {
        TrainFailure {
            error: error.into(),
            trained: Box::new(self.trained(model, None, setup)),
        }
    }
}

impl<'a, M: Model> Training<'a, M> {
    pub(super) fn new(
        model: M,
        settings: Settings<'a, M>,
        source: Arc<dyn Source>,
        setup: Run,
        parts: Parts,
    ) -> Self {
        let Parts {
            loader,
            steps_per_epoch,
            rate,
            stepper,
            written,
        } = parts;
        let device = model.devices().into_iter().next().unwrap_or_default();
        let ranks = Ranks::new(settings.exchange);
        Training {
            ranks: ranks.map(|ranks| (ranks, Arc::new(Statistics::of(&model.valid())))),
            progress: Progress::new(settings.quiet, settings.epochs, steps_per_epoch),
            settings,
            source,
            device: device.autodiff(),
            loader,
            setup: Run {
                steps_per_epoch,
                ..setup
            },
            rate,
            stepper,
            latest: None,
            sound: model,
            average: None,
            log: Log::default(),
            epoch: Epoch::default(),
            since: Since::default(),
            written,
            folder: None,
            unsaved: true,
            interrupt: None,
        }
    }

    /// Trains to the end.
    pub(super) fn run(mut self) -> Result<Trained<M>, TrainFailure<M>> {
        let trained = self.train();
        // Of an epoch that was not finished.
        self.log.seconds += self.epoch.seconds;
        match trained {
            Ok(model) => {
                let average = self.average.and_then(|(_, average)| average);
                let model = model.valid();
                Ok(match average {
                    Some(average) => self.log.trained(average, Some(model), self.setup),
                    None => self.log.trained(model, None, self.setup),
                })
            }
            Err(error) => {
                let latest = self
                    .latest
                    .filter(|model| non_finite_parameter(model).is_none());
                let model = latest.unwrap_or(self.sound);
                Err(self.log.failed(error, model, self.setup))
            }
        }
    }

    fn train(&mut self) -> Result<M, TrainError> {
        let _span = tracing::info_span!("train", model = model::name::<M>()).entered();
        self.open()?;
        let mut model = self.sound.clone().train();
        self.latest = Some(model.valid());
        self.setup.steps = self.log.steps;
        for hook in &mut self.settings.hooks {
            hook.begin(&self.setup).map_err(TrainError::Hook)?;
        }
        while self.log.history.len() < self.settings.epochs && self.log.stopped.is_none() {
            model = self.epoch(model)?;
        }
        if self
            .average
            .as_ref()
            .is_none_or(|(steps, _)| *steps != self.log.steps)
        {
            self.take_average(&model)?;
        }
        if self.unsaved {
            self.save(false)?;
        }
        match &self.ranks {
            Some((ranks, _)) => ranks.meet()?,
            // It came after the last step.
            None if self.signal().is_some() => return Err(self.interrupted()),
            None => {}
        }
        Ok(model)
    }

    /// What is left of the epoch at hand.
    fn epoch(&mut self, mut model: M) -> Result<M, TrainError> {
        let epoch = self.log.history.len() + 1;
        let _span = tracing::info_span!("epoch", epoch).entered();
        if let Some(latest) = &self.latest {
            self.sound = latest.clone();
        }
        let first = self.epoch.steps * self.settings.micro_batches;
        let mut batches = self.loader.epoch(epoch - 1, first)?;
        self.progress.epoch(epoch, self.epoch.steps);
        while self.epoch.steps < self.setup.steps_per_epoch {
            model = self.step(model, &mut batches)?;
            if self.log.stopped.is_some() {
                return Ok(model);
            }
        }
        drop(batches);
        let mut stop = self.signal().is_some();
        if let Some((ranks, _)) = &self.ranks {
            stop = ranks.compare(&model.valid(), epoch, stop)?;
        }
        let best = self.end_epoch(epoch, &model)?;
        if self
            .folder
            .as_ref()
            .is_some_and(|folder| best || folder.is_due_after(&self.log.history))
        {
            self.save(best)?;
        }
        match stop && epoch < self.settings.epochs {
            true => Err(self.interrupted()),
            false => Ok(model),
        }
    }

    /// One step, and all that follows from it.
    fn step(&mut self, model: M, batches: &mut Batches) -> Result<M, TrainError> {
        let number = self.log.steps + 1;
        let _span = tracing::debug_span!("step", step = number).entered();
        let begun = Instant::now();
        let last = self.epoch.steps + 1 == self.setup.steps_per_epoch;
        let logged = number == 1 || number.is_multiple_of(self.settings.log_every);
        let stop = self.signal().is_some();
        // At the end of an epoch a checkpoint waits for what is measured there.
        let kept = self
            .folder
            .as_ref()
            .is_some_and(|folder| folder.is_due(number))
            && !last;
        let rate = self.rate.step();
        let mut feed = self.feed(batches, rate, stop);
        let pass = feed.gradient(&model, &self.stepper)?;
        let stop = stop || pass.stop;
        self.epoch.losses.push(rate, &pass);
        if last || logged || kept || stop || self.epoch.losses.due(&self.device) {
            let epoch = self.log.history.len() + 1;
            self.epoch.losses.settle(&model, epoch, &pass)?;
        }
        let norm = logged.then(|| global_norm(&model, &pass.gradient));
        if last
            && self
                .log
                .history
                .len()
                .is_multiple_of(self.settings.epochs.div_ceil(RATIOS))
        {
            let ratios = trust_ratios(&model, &pass.gradient).parameters.into_iter();
            let ratios = ratios.filter_map(|row| Some((row.path, row.ratio?)));
            self.epoch.trust_ratios = ratios.collect();
        }
        let model = self.update(rate, model, pass, &feed)?;
        self.latest = Some(model.valid());
        self.log.steps = number;
        self.unsaved = true;
        self.epoch.steps += 1;
        self.progress.step(self.epoch.losses.last(), rate);

        let gradient_norm = norm.map(|norm| norm.into_scalar::<f64>());
        let time = begun.elapsed();
        self.epoch.seconds += time.as_secs_f64();
        self.since.steps += 1;
        self.since.time += time;
        let figures = &self.settings.figures;
        let figures = measured(figures, &model, number, None, &mut self.progress)?;
        self.epoch.measurements.extend(figures);
        if let Some(gradient_norm) = gradient_norm {
            self.record(&model, rate, gradient_norm)?;
        }
        match stop {
            true => Err(self.interrupted()),
            false if kept => self.save(false).map(|()| model),
            false => Ok(model),
        }
    }

    /// The update of a step whose passes are done.
    fn update(
        &mut self,
        rate: f64,
        model: M,
        pass: Pass<M>,
        feed: &Feed<'_>,
    ) -> Result<M, TrainError> {
        match &mut self.stepper {
            Stepper::Updater(updater) => {
                if updater.recipe().noise.is_some() {
                    // From the step alone, whatever its passes drew.
                    self.device.seed(mix(!self.settings.seed, self.log.steps));
                }
                // The update may work in place once nobody else holds the parameters.
                self.latest = None;
                Ok(updater.step(rate, model, pass.gradient))
            }
            Stepper::Newton(newton) => {
                let (model, stalled) = newton.step(rate, &model, pass)?;
                if stalled {
                    self.progress.stalled(self.log.steps + 1);
                }
                Ok(model)
            }
            Stepper::Minimiser(minimiser) => feed.minimise(minimiser, rate, model, pass),
        }
    }

    /// Where the next step takes its batches from.
    fn feed<'b>(&self, batches: &'b mut Batches, rate: f64, stop: bool) -> Feed<'b>
    where
        'a: 'b,
    {
        let seed = mix(self.settings.seed, self.log.steps);
        Feed {
            batches,
            pieces: self.settings.micro_batches,
            device: self.device.clone(),
            // Each process drops other units.
            seed: match &self.ranks {
                Some((ranks, _)) if !ranks.is_first() => mix(seed, ranks.rank() as u64),
                _ => seed,
            },
            ranks: self.ranks.clone(),
            moment: Moment {
                epoch: self.log.history.len() + 1,
                step: self.epoch.steps + 1,
                rate,
            },
            stop,
        }
    }

    /// Writes the step down, and tells the hooks.
    fn record(&mut self, model: &M, rate: f64, gradient_norm: f64) -> Result<(), TrainError> {
        let Since { steps, time } = std::mem::take(&mut self.since);
        let examples = (steps * self.settings.batch as u64) as f64;
        let record = StepRecord {
            step: self.log.steps,
            epoch: self.log.history.len() + 1,
            loss: self.epoch.losses.last().unwrap_or(f64::NAN),
            rate,
            gradient_norm,
            examples_per_second: examples / time.as_secs_f64().max(1e-9),
        };
        for hook in &mut self.settings.hooks {
            let flow = hook.step(&record, model).map_err(TrainError::Hook)?;
            if let Flow::Break(reason) = flow {
                self.log.stopped.get_or_insert(reason);
            }
        }
        if let Some((ranks, _)) = &self.ranks {
            self.log.stopped = ranks.first(&self.log.stopped)?;
        }
        self.log.log.push(record);
        Ok(())
    }

    /// Measures what is to be known after an epoch, and writes it down. Whether it was the best by
    /// the metric by which a checkpoint is kept.
    fn end_epoch(&mut self, epoch: usize, model: &M) -> Result<bool, TrainError> {
        let trained = model.valid();
        // A loss tells of the weights before it; nothing else tells of the last ones.
        if let Some(parameter) = non_finite_parameter(&trained) {
            return Err(TrainError::Diverged { epoch, parameter });
        }
        let (figures, steps) = (&self.settings.figures, self.log.steps);
        let figures = measured(figures, model, steps, Some(epoch), &mut self.progress)?;
        self.epoch.measurements.extend(figures);
        let Settings {
            validation,
            ref metrics,
            epochs,
            ..
        } = self.settings;
        let mut looked_at =
            validation.is_some() || !metrics.is_empty() || !self.settings.hooks.is_empty();
        // All at the same time, as it may be a pass over the data.
        if let Some((ranks, _)) = &self.ranks {
            looked_at = ranks.first(&looked_at)?;
        }
        if epoch == epochs || looked_at {
            self.take_average(model)?;
        }
        let average = self
            .average
            .as_ref()
            .and_then(|(_, average)| average.as_ref());
        let returned = average.unwrap_or(&trained);
        let validation = {
            let _span = tracing::info_span!("validate", epoch).entered();
            let measure =
                |source| evaluate_among(returned, source, EVALUATION_BATCH, self.settings.exchange);
            validation.map(measure).transpose()?
        };
        let Epoch {
            losses,
            measurements,
            trust_ratios,
            seconds,
            ..
        } = std::mem::take(&mut self.epoch);
        self.log.seconds += seconds;
        let metrics = self.settings.metrics.iter();
        let mut metrics: BTreeMap<_, _> = metrics
            .map(|(name, measure)| (name.clone(), measure(returned)))
            .collect();
        if let Some(source) = self.settings.validation {
            for (name, measure) in &self.settings.burn_metrics {
                metrics.insert(name.clone(), measure(returned, source)?);
            }
        }
        let figures = measurements.iter();
        metrics
            .extend(figures.flat_map(|one| Some((one.name.clone(), *one.result.as_ref().ok()?))));
        let mut record = EpochRecord {
            epoch,
            steps: self.log.steps,
            loss: losses.mean(),
            rate: self.rate.at(self.log.steps - 1),
            validation,
            metrics,
            measurements,
            trust_ratios,
            seconds,
        };
        self.progress.finished(&record);
        for hook in &mut self.settings.hooks {
            let flow = hook.epoch(&record, returned).map_err(TrainError::Hook)?;
            if let Flow::Break(reason) = flow {
                self.log.stopped.get_or_insert(reason);
            }
        }
        // What was measured on the first process holds for all.
        if let Some((ranks, _)) = &self.ranks {
            (record, self.log.stopped) = ranks.first(&(record, self.log.stopped.clone()))?;
        }
        if let Some(value) = self
            .rate
            .watches()
            .and_then(|metric| record.measured(metric))
        {
            self.rate.observe(value);
        }
        let folder = self.folder.as_mut();
        let best = folder.is_some_and(|folder| folder.improved(&record));
        self.log.history.push(record);
        self.unsaved = true;
        Ok(best)
    }

    /// Brings `average` up to the steps so far, with running statistics of its own.
    fn take_average(&mut self, model: &M) -> Result<(), TrainError> {
        self.average = Some((self.log.steps, None));
        let Stepper::Updater(updater) = &self.stepper else {
            return Ok(());
        };
        let Some(average) = updater.averaged(model) else {
            return Ok(());
        };
        let mut kinds = updater.recipe().average.iter();
        let average = if kinds.any(|kind| matches!(kind, Average::Swa { .. })) {
            self.device.seed(mix(self.settings.seed, self.log.steps));
            let processes = self.ranks.as_ref().map_or(1, |(ranks, _)| ranks.count());
            let piece = self.settings.batch / self.settings.micro_batches / processes;
            update_batch_norm(&average, &self.source, piece)?
        } else {
            average
        };
        self.average = Some((self.log.steps, Some(average)));
        self.unsaved = true;
        Ok(())
    }
}

impl<M: Model> Training<'_, M> {
    /// Opens the folder of the checkpoints, if there is to be one, and goes on from what is in it.
    fn open(&mut self) -> Result<(), TrainError> {
        let Some(checkpoints) = self.settings.checkpoints.clone() else {
            return Ok(());
        };
        let mut found = None;
        if self
            .ranks
            .as_ref()
            .is_none_or(|(ranks, _)| ranks.is_first())
        {
            found = self.open_folder(checkpoints)?;
        }
        if let Some((ranks, _)) = &self.ranks {
            found = ranks.first_checkpoint(found)?;
        }
        if let Some(checkpoint) = found {
            self.resume(checkpoint)?;
        }
        let interrupt = Interrupt::new();
        self.interrupt = Some(interrupt.map_err(|source| CheckpointError::Signals { source })?);
        Ok(())
    }

    /// The checkpoint to go on from.
    fn open_folder(&mut self, checkpoints: Checkpoints) -> Result<Option<Checkpoint>, TrainError> {
        let allow_changes = checkpoints.allow_changes;
        let (folder, checkpoint, skipped) = Folder::open(checkpoints)?;
        if let Some(checkpoint) = &checkpoint {
            let path = checkpoint.path.clone();
            let differences = differences(&checkpoint.state.settings, &self.written);
            if differences
                .iter()
                .any(|difference| !(difference.safe && allow_changes))
            {
                return Err(CheckpointError::Changed { path, differences }.into());
            }
            for skipped in &skipped {
                tracing::warn!(%skipped, "passed over a checkpoint that is not whole");
            }
            self.progress.resumed(&path, checkpoint.steps(), &skipped);
            if let Some(reason) = &checkpoint.state.log.stopped {
                self.progress.ended(reason, allow_changes);
            }
        }
        self.folder = Some(folder);
        Ok(checkpoint)
    }

    /// Takes the state of `checkpoint`, which is that of this training.
    fn resume(&mut self, checkpoint: Checkpoint) -> Result<(), TrainError> {
        let Checkpoint {
            path,
            state,
            sections,
        } = checkpoint;
        let foreign = |reason: String| {
            let path = path.clone();
            TrainError::Checkpoint(CheckpointError::Foreign { path, reason })
        };
        let damaged = |error: RecordError| foreign(model::reason(error));
        let rate = LrSchedulerRecord::from_bytes(sections.rate).map_err(damaged)?;
        self.rate.resume(&rate)?;
        match (&mut self.stepper, state.newton) {
            (Stepper::Newton(newton), Some(state)) => newton.resume(state),
            (Stepper::Newton(_), None) | (_, Some(_)) => {
                return Err(foreign("its optimizer is of another kind".to_owned()));
            }
            (Stepper::Updater(updater), None) => {
                let record = UpdaterRecord::from_bytes(sections.optimizer)?;
                *updater = updater.clone().load_record(record)?;
            }
            (Stepper::Minimiser(minimiser), None) => {
                let record = UpdaterRecord::from_bytes(sections.optimizer)?;
                *minimiser = minimiser.clone().load_record(record)?;
            }
        }
        let mut states = state.hooks;
        for hook in &mut self.settings.hooks {
            if let Some(place) = states.iter().position(|(name, _)| name == hook.name()) {
                let (_, state) = states.remove(place);
                hook.restore(&state).map_err(TrainError::Hook)?;
            }
        }
        let with = |bytes: &[u8]| load(self.sound.clone(), bytes).map_err(foreign);
        if !sections.average.is_empty() {
            let average = with(&sections.average)?.valid();
            self.average = Some((state.log.steps, Some(average)));
        }
        self.sound = with(&sections.model)?;
        self.log = state.log.into_owned();
        self.epoch = state.epoch.into_owned();
        self.unsaved = false;
        if self
            .settings
            .checkpoints
            .as_ref()
            .is_some_and(|all| all.allow_changes)
        {
            self.log.stopped = None;
        }
        Ok(())
    }

    /// Writes a checkpoint, and once more where it is the best.
    fn save(&mut self, best: bool) -> Result<(), TrainError> {
        let (Some(folder), Some(latest)) = (&mut self.folder, &self.latest) else {
            return Ok(());
        };
        let steps = self.log.steps;
        let _span = tracing::info_span!("checkpoint", steps).entered();
        // What could not be gone on from is not worth an older one.
        if let Some(parameter) = non_finite_parameter(latest) {
            let epoch = self.log.history.len() + 1;
            return Err(TrainError::Diverged { epoch, parameter });
        }
        let path = folder.path(steps);
        let failed = |reason: String| CheckpointError::Encode {
            path: path.clone(),
            reason,
        };
        let module = |model: &M| {
            let bytes = model.clone().into_record().into_bytes();
            bytes.map_err(|error| failed(model::reason(error)))
        };
        let hooks = self.settings.hooks.iter_mut();
        let state = State {
            model: model::name::<M>().to_owned(),
            config: config_to_json(latest.config()),
            settings: Cow::Borrowed(&self.written),
            log: Cow::Borrowed(&self.log),
            epoch: Cow::Borrowed(&self.epoch),
            hooks: hooks
                .map(|hook| Ok((hook.name().to_owned(), hook.save()?)))
                .collect::<Result<_, _>>()
                .map_err(TrainError::Hook)?,
            newton: match &self.stepper {
                Stepper::Newton(newton) => Some(newton.state()),
                _ => None,
            },
            best: folder.best.clone(),
        };
        let average = match &self.average {
            Some((at, Some(average))) if *at == steps => module(average)?,
            _ => Bytes::from_bytes_vec(Vec::new()),
        };
        let state = rmp_serde::to_vec_named(&state).map_err(|error| failed(error.to_string()))?;
        let rate = self.rate.to_record().into_bytes();
        let sections = Sections {
            state: Bytes::from_bytes_vec(state),
            model: module(latest)?,
            average,
            rate: rate.map_err(|error| failed(model::reason(error)))?,
            optimizer: match &self.stepper {
                Stepper::Updater(updater) => updater.to_record().into_bytes()?,
                Stepper::Minimiser(minimiser) => minimiser.to_record().into_bytes()?,
                Stepper::Newton(_) => Bytes::from_bytes_vec(Vec::new()),
            },
        };
        // First: a training that is killed in between measures the epoch again.
        if best {
            folder.save_best(&sections)?;
        }
        folder.save(&sections, steps)?;
        self.unsaved = false;
        Ok(())
    }

    /// The signal that came, if one did.
    fn signal(&self) -> Option<&'static str> {
        self.interrupt.as_ref()?.signal()
    }

    /// Writes a checkpoint unless the last one is of this step, and says where it is.
    fn interrupted(&mut self) -> TrainError {
        let steps = self.log.steps;
        if self.unsaved
            && let Err(error) = self.save(false)
        {
            return error;
        }
        let checkpoints = self.settings.checkpoints.as_ref();
        let checkpoint = checkpoints.map(|checkpoints| checkpoints.path(steps));
        TrainError::Interrupted {
            signal: self.signal().unwrap_or("a signal"),
            steps,
            checkpoint: checkpoint.unwrap_or_default(),
        }
    }
}

/// The seed of a step's random numbers.
fn mix(seed: u64, step: u64) -> u64 {
    SplitMix64::new(seed ^ SplitMix64::new(step).next()).next()
}
