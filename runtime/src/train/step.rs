//! One step's gradient and loss.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};

use super::{TrainError, ended};
use crate::data::Batches;
use crate::device;
use crate::model::{Batch, Model, first_non_finite};
use crate::optim::Updater;

/// What the passes of a step give.
pub(super) struct Pass<M: Model> {
    gradient: GradientsParams,
    /// With `sharpness` there is a second one, where the gradient was taken.
    loss: Tensor<1>,
    /// An input to look for the cause with, if the loss is not finite: where losses are read at
    /// once that of the first piece at fault, else the last.
    input: M::Input,
}

/// Where a step takes its batches from, and how.
pub(super) struct Feed<'a> {
    pub batches: &'a mut Batches,
    /// The micro-batches of a step.
    pub pieces: usize,
    pub device: &'a Device,
    /// Whether a loss is looked at as soon as it is there.
    pub at_once: bool,
}

impl Feed<'_> {
    /// The mean gradient and the mean loss over the next batches; with `sharpness` the gradient
    /// of a second pass over them, with the random numbers of the first.
    pub(super) fn gradient<M: Model>(
        &mut self,
        model: &M,
        updater: &Updater,
        seed: u64,
    ) -> Result<Pass<M>, TrainError> {
        let (device, pieces, at_once) = (self.device, self.pieces, self.at_once);
        let batches = (0..pieces).map(|_| {
            let examples = self.batches.next().ok_or_else(ended)??;
            Ok(Batch::<M>::upload(examples, device)?)
        });
        device.seed(seed);
        if updater.recipe().sharpness.is_none() {
            return mean(model, batches, pieces, at_once);
        }
        let batches = batches.collect::<Result<Vec<_>, TrainError>>()?;
        let first = mean(model, batches.iter().cloned().map(Ok), pieces, at_once)?;
        let Some(worse) = updater.ascend(model, &first.gradient) else {
            return Ok(first);
        };
        device.seed(seed);
        let second = mean(&worse, batches.into_iter().map(Ok), pieces, at_once)?;
        Ok(Pass {
            gradient: second.gradient,
            loss: Tensor::cat(vec![first.loss, second.loss], 0),
            input: first.input,
        })
    }
}

/// The mean gradient and the mean loss over `batches`, which are `pieces`.
fn mean<M: Model>(
    model: &M,
    batches: impl Iterator<Item = Result<Batch<M>, TrainError>>,
    pieces: usize,
    at_once: bool,
) -> Result<Pass<M>, TrainError> {
    let mut passes = batches.map(|batch| batch.map(|batch| pass(model, batch, pieces)));
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
        if !at_once || loss.clone().into_scalar::<f64>().is_finite() {
            input = next.input;
        }
        loss = loss.add(next.loss);
    }
    Ok(Pass {
        gradient: sum.grads(),
        loss,
        input,
    })
}

/// Forward and backward over a batch, divided by `pieces`.
fn pass<M: Model>(model: &M, batch: Batch<M>, pieces: usize) -> Pass<M> {
    let Batch { input, target } = batch;
    let mut loss = model.loss(model.forward(input.clone()), target);
    if pieces > 1 {
        loss = loss.div_scalar(pieces as f64);
    }
    let gradient = GradientsParams::from_grads(loss.backward(), model);
    Pass {
        gradient,
        loss: loss.inner(),
        input,
    }
}

/// On a GPU, reading a loss waits for the device: losses are read together, this many at a time.
const UNREAD: usize = 50;

/// The losses of an epoch, some of them still on the device.
pub(super) struct Losses {
    epoch: usize,
    steps: usize,
    /// How many losses may wait before they are read.
    patience: usize,
    /// Learning rate and losses of the steps whose losses are unread.
    unread: Vec<(f64, Tensor<1>)>,
    read: Vec<f64>,
}

impl Losses {
    pub(super) fn new(device: &Device, epoch: usize, steps: usize) -> Self {
        let patience = if device::is_host(device) { 1 } else { UNREAD };
        Losses {
            epoch,
            steps,
            patience,
            unread: Vec::new(),
            read: Vec::new(),
        }
    }

    /// Whether a loss is read as soon as it is there, which on the host costs nothing.
    pub(super) fn at_once(&self) -> bool {
        self.patience == 1
    }

    /// Takes the losses of step `step`, counted from 1, and passes its gradient on; fails at the
    /// first loss that is not finite.
    pub(super) fn push<M: Model>(
        &mut self,
        model: &M,
        step: usize,
        rate: f64,
        pass: Pass<M>,
    ) -> Result<GradientsParams, TrainError> {
        self.unread.push((rate, pass.loss));
        let due = self.unread.len() >= self.patience || step == self.steps;
        if due && let Err((failed, rate, loss)) = self.read() {
            // Weights of a later step say nothing of the layer where it began.
            let here = failed == step && self.at_once();
            let layer = if here {
                first_non_finite(model, pass.input)
            } else {
                None
            };
            let epoch = self.epoch;
            return Err(TrainError::NonFinite {
                epoch,
                step: failed,
                loss,
                rate,
                layer,
            });
        }
        Ok(pass.gradient)
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
