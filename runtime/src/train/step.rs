//! One step's gradient and loss.

use std::sync::Arc;

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::batch_norm::Statistics;
use super::newton::Newton;
use super::ranks::Ranks;
use crate::data::{Batches, DataError};
use crate::device;
use crate::model::{Batch, Model, first_non_finite};
use crate::optim::{Minimiser, Updater};

/// The optimizer at work.
#[expect(clippy::large_enum_variant, reason = "a training has one")]
pub(super) enum Stepper {
    Updater(Updater),
    Minimiser(Minimiser),
    Newton(Newton),
}

/// What the passes of a step give.
pub(super) struct Pass<M: Model> {
    pub gradient: GradientsParams,
    /// With `sharpness` there is a second one, where the gradient was taken.
    pub loss: Tensor<1>,
    /// An input to look for the cause with, if the loss is not finite: where losses are read at
    /// once that of the first piece at fault, else the last.
    input: M::Input,
    /// The batches, where the loss is to be evaluated again.
    pub batches: Vec<Batch<M>>,
    /// Whether another process is to end the training after this step.
    pub stop: bool,
}

/// Where a step takes its batches from, and how.
pub(super) struct Feed<'a> {
    pub batches: &'a mut Batches,
    /// The micro-batches of a step.
    pub pieces: usize,
    pub device: Device,
    /// Of the random numbers of each pass.
    pub seed: u64,
    /// The other processes, and the running statistics to keep in step with theirs.
    pub ranks: Option<(Ranks<'a>, Arc<Statistics>)>,
    pub moment: Moment,
    /// Whether this process is to end the training after this step.
    pub stop: bool,
}

/// A step, for an error.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    /// Counted from 1.
    pub epoch: usize,
    /// Within the epoch, counted from 1.
    pub step: usize,
    pub rate: f64,
}

impl Feed<'_> {
    /// The mean gradient and the mean loss over the next batches, with random numbers from `seed`;
    /// with `sharpness` the gradient of a second pass over them, with the same random numbers.
    pub(super) fn gradient<M: Model>(
        &mut self,
        model: &M,
        stepper: &Stepper,
    ) -> Result<Pass<M>, TrainError> {
        let (device, pieces) = (self.device.clone(), self.pieces);
        let share = self.share();
        let batches = (0..pieces).map(|_| {
            let examples = self.batches.next().ok_or_else(ended)??;
            Ok(Batch::<M>::upload(examples, &device)?)
        });
        if let Stepper::Updater(updater) = stepper
            && updater.recipe().sharpness.is_none()
        {
            self.device.seed(self.seed);
            let pass = mean(model, batches, pieces, share, &self.device)?;
            return self.together(model, pass, false);
        }
        let batches = batches.collect::<Result<Vec<_>, TrainError>>()?;
        let first = self.evaluate(model, &batches, false)?;
        let worse = match stepper {
            Stepper::Updater(updater) => updater.ascend(model, &first.gradient),
            Stepper::Minimiser(_) | Stepper::Newton(_) => None,
        };
        let Some(worse) = worse else {
            return Ok(Pass { batches, ..first });
        };
        let second = self.evaluate(&worse, &batches, false)?;
        Ok(Pass {
            gradient: second.gradient,
            loss: Tensor::cat(vec![first.loss, second.loss], 0),
            ..first
        })
    }

    /// The step of `minimiser` from the first `pass` on, over its batches and with its random
    /// numbers.
    pub(super) fn minimise<M: Model>(
        &self,
        minimiser: &mut Minimiser,
        lr: f64,
        model: M,
        pass: Pass<M>,
    ) -> Result<M, TrainError> {
        let Pass {
            gradient,
            loss,
            batches,
            ..
        } = pass;
        let mut first = Some((loss.into_scalar(), gradient));
        let mut failed = None;
        let model = minimiser.step(lr, model, |model| {
            if let Some(first) = first.take() {
                return first;
            }
            if failed.is_none() {
                match self.evaluate(model, &batches, true) {
                    Ok(pass) => return (pass.loss.into_scalar(), pass.gradient),
                    Err(error) => failed = Some(error),
                }
            }
            (f64::NAN, GradientsParams::new())
        });
        failed.map_or(Ok(model), Err)
    }

    /// The mean gradient and the mean loss over `batches`, with random numbers from `seed`.
    fn evaluate<M: Model>(
        &self,
        model: &M,
        batches: &[Batch<M>],
        trial: bool,
    ) -> Result<Pass<M>, TrainError> {
        self.device.seed(self.seed);
        let batches = batches.iter().cloned().map(Ok);
        let pass = mean(model, batches, self.pieces, self.share(), &self.device)?;
        self.together(model, pass, trial)
    }

    /// What the loss of a piece is divided by: how many make up the batch, over all processes.
    fn share(&self) -> usize {
        self.pieces * self.ranks.as_ref().map_or(1, |(ranks, _)| ranks.count())
    }

    /// The `pass` of all processes. Whether the weights of a `trial` are any good its loss tells, and
    /// all of them have to be told the same.
    fn together<M: Model>(
        &self,
        model: &M,
        mut pass: Pass<M>,
        trial: bool,
    ) -> Result<Pass<M>, TrainError> {
        let Some((ranks, statistics)) = &self.ranks else {
            return Ok(pass);
        };
        let input = pass.input.clone();
        let check = |loss: f64| {
            if trial || loss.is_finite() {
                return Ok(());
            }
            // The others know nothing of the example that did it.
            let layer = first_non_finite(model, input);
            Err(self.moment.non_finite(loss * ranks.count() as f64, layer))
        };
        pass.stop = ranks.sum(model, &mut pass, statistics, self.stop, check)?;
        Ok(pass)
    }
}

impl Moment {
    fn non_finite(self, loss: f64, layer: Option<String>) -> TrainError {
        let Moment { epoch, step, rate } = self;
        TrainError::NonFinite {
            epoch,
            step,
            loss,
            rate,
            layer,
        }
    }
}

/// The gradient and the loss over `batches`, which are `pieces`: their sums, divided by `share`.
fn mean<M: Model>(
    model: &M,
    batches: impl Iterator<Item = Result<Batch<M>, TrainError>>,
    pieces: usize,
    share: usize,
    device: &Device,
) -> Result<Pass<M>, TrainError> {
    let mut passes = batches.map(|batch| batch.map(|batch| pass(model, batch, share)));
    let first = passes.next().ok_or_else(ended)??;
    if pieces == 1 {
        return Ok(first);
    }
    // Burn's accumulator sums, so each piece brings its share of the mean.
    let mut sum = GradientsAccumulator::new();
    sum.accumulate(model, first.gradient);
    let (mut loss, mut input) = (first.loss, first.input);
    for next in passes {
        let next = next?;
        sum.accumulate(model, next.gradient);
        // Only on the host does a look at it cost nothing.
        if !device::is_host(device) || loss.clone().into_scalar::<f64>().is_finite() {
            input = next.input;
        }
        loss = loss.add(next.loss);
    }
    Ok(Pass {
        gradient: sum.grads(),
        loss,
        input,
        batches: Vec::new(),
        stop: false,
    })
}

/// Forward and backward over a batch, divided by `share`.
fn pass<M: Model>(model: &M, batch: Batch<M>, share: usize) -> Pass<M> {
    let Batch { input, target } = batch;
    let mut loss = model.loss(model.forward(input.clone()), target);
    if share > 1 {
        loss = loss.div_scalar(share as f64);
    }
    let gradient = GradientsParams::from_grads(loss.backward(), model);
    Pass {
        gradient,
        loss: loss.inner(),
        input,
        batches: Vec::new(),
        stop: false,
    }
}

/// The end of the data before the end of the epoch: a source whose length changed.
fn ended() -> TrainError {
    let source = "the data source ended before the epoch did".to_owned();
    TrainError::Data(DataError::Source(source.into()))
}

/// On a GPU, reading a loss waits for the device: losses are read together, this many at a time.
const UNREAD: usize = 50;

/// The losses of an epoch, some of them still on the device.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Losses {
    /// Learning rate and losses of the steps whose losses are unread.
    #[serde(skip)]
    unread: Vec<(f64, Tensor<1>)>,
    read: Vec<f64>,
}

impl Losses {
    /// Takes the losses of the next step.
    pub(super) fn push<M: Model>(&mut self, rate: f64, pass: &Pass<M>) {
        self.unread.push((rate, pass.loss.clone()));
    }

    /// Whether they should be read by now.
    pub(super) fn due(&self, device: &Device) -> bool {
        device::is_host(device) || self.unread.len() >= UNREAD
    }

    /// Reads what is unread; fails at the first loss that is not finite. `pass` is that of the last
    /// step, from `model`.
    pub(super) fn settle<M: Model>(
        &mut self,
        model: &M,
        epoch: usize,
        pass: &Pass<M>,
    ) -> Result<(), TrainError> {
        let steps = self.read.len() + self.unread.len();
        let Err((step, rate, loss)) = self.read() else {
            return Ok(());
        };
        // Weights of a later step say nothing of the layer where it began.
        let here = step == steps && device::is_host(&pass.loss.device());
        let layer = match here {
            true => first_non_finite(model, pass.input.clone()),
            false => None,
        };
        Err(Moment { epoch, step, rate }.non_finite(loss, layer))
    }

    /// The last loss that was read.
    pub(super) fn last(&self) -> Option<f64> {
        self.read.last().copied()
    }

    /// The mean over the epoch.
    pub(super) fn mean(&self) -> f64 {
        self.read.iter().sum::<f64>() / self.read.len().max(1) as f64
    }

    /// Reads what is unread, in one transfer. The first that is not finite: its step, counted from
    /// 1, its learning rate and its value.
    fn read(&mut self) -> Result<(), (usize, f64, f64)> {
        let unread = self.unread.drain(..);
        let (steps, losses): (Vec<_>, Vec<_>) = unread
            .map(|(rate, losses)| ((rate, losses.dims()[0]), losses))
            .unzip();
        if losses.is_empty() {
            return Ok(());
        }
        let data = Tensor::cat(losses, 0).into_data();
        let mut losses = data.iter::<f64>();
        for (rate, passes) in steps {
            let losses: Vec<f64> = losses.by_ref().take(passes).collect();
            self.read.extend(losses.first());
            if let Some(loss) = losses.into_iter().find(|loss| !loss.is_finite()) {
                return Err((self.read.len(), rate, loss));
            }
        }
        Ok(())
    }
}
