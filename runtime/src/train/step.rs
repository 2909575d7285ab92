//! One step's gradient and loss.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};

use super::newton::Newton;
use super::{TrainError, ended};
use crate::data::Batches;
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
    loss: Tensor<1>,
    /// An input to look for the cause with, if the loss is not finite: where losses are read at
    /// once that of the first piece at fault, else the last.
    input: M::Input,
    /// The batches, where the loss is to be evaluated again.
    pub batches: Vec<Batch<M>>,
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
    /// The mean gradient and the mean loss over the next batches, with random numbers from `seed`;
    /// with `sharpness` the gradient of a second pass over them, with the same random numbers.
    pub(super) fn gradient<M: Model>(
        &mut self,
        model: &M,
        stepper: &Stepper,
        seed: u64,
    ) -> Result<Pass<M>, TrainError> {
        let (device, pieces, at_once) = (self.device, self.pieces, self.at_once);
        let batches = (0..pieces).map(|_| {
            let examples = self.batches.next().ok_or_else(ended)??;
            Ok(Batch::<M>::upload(examples, device)?)
        });
        if let Stepper::Updater(updater) = stepper
            && updater.recipe().sharpness.is_none()
        {
            device.seed(seed);
            return mean(model, batches, pieces, at_once);
        }
        let batches = batches.collect::<Result<Vec<_>, TrainError>>()?;
        let first = self.evaluate(model, &batches, seed)?;
        let worse = match stepper {
            Stepper::Updater(updater) => updater.ascend(model, &first.gradient),
            Stepper::Minimiser(_) | Stepper::Newton(_) => None,
        };
        let Some(worse) = worse else {
            return Ok(Pass { batches, ..first });
        };
        let second = self.evaluate(&worse, &batches, seed)?;
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
        seed: u64,
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
            match self.evaluate(model, &batches, seed) {
                Ok(pass) => (pass.loss.into_scalar(), pass.gradient),
                Err(error) => {
                    failed = Some(error);
                    (f64::NAN, GradientsParams::new())
                }
            }
        });
        failed.map_or(Ok(model), Err)
    }

    /// The mean gradient and the mean loss over `batches`, with random numbers from `seed`.
    fn evaluate<M: Model>(
        &self,
        model: &M,
        batches: &[Batch<M>],
        seed: u64,
    ) -> Result<Pass<M>, TrainError> {
        self.device.seed(seed);
        let batches = batches.iter().cloned().map(Ok);
        mean(model, batches, self.pieces, self.at_once)
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
        batches: Vec::new(),
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
        batches: Vec::new(),
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

    /// Takes the losses of step `step`, counted from 1; fails at the first loss that is not finite.
    pub(super) fn push<M: Model>(
        &mut self,
        model: &M,
        step: usize,
        rate: f64,
        pass: &Pass<M>,
    ) -> Result<(), TrainError> {
        self.unread.push((rate, pass.loss.clone()));
        let due = self.unread.len() >= self.patience || step == self.steps;
        if due && let Err((failed, rate, loss)) = self.read() {
            // Weights of a later step say nothing of the layer where it began.
            let here = failed == step && self.at_once();
            let layer = if here {
                first_non_finite(model, pass.input.clone())
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
        Ok(())
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
