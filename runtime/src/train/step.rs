//! One step's gradient and loss.

use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};

use super::{TrainError, ended};
use crate::data::Batches;
use crate::device;
use crate::model::{Batch, Model, first_non_finite};

/// What the passes of a step give.
pub(super) struct Pass<M: Model> {
    gradient: GradientsParams,
    loss: Tensor<1>,
    /// An input to look for the cause with, if the loss is not finite: where losses are read at
    /// once that of the first piece at fault, else the last.
    input: M::Input,
}

/// The mean gradient and the mean loss over the next `pieces` batches.
pub(super) fn gradient<M: Model>(
    model: &M,
    batches: &mut Batches,
    pieces: usize,
    losses: &Losses,
    device: &Device,
) -> Result<Pass<M>, TrainError> {
    let first = pass(model, batches, pieces, device)?;
    if pieces == 1 {
        return Ok(first);
    }
    // Burn's accumulator sums, so each piece brings its share of the mean.
    let mut sum = GradientsAccumulator::new();
    sum.accumulate(model, first.gradient);
    let (mut loss, mut input) = (first.loss, first.input);
    for _ in 1..pieces {
        let next = pass(model, batches, pieces, device)?;
        sum.accumulate(model, next.gradient);
        if !losses.at_once() || loss.clone().into_scalar::<f64>().is_finite() {
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

/// Forward and backward over the next batch, divided by `pieces`.
fn pass<M: Model>(
    model: &M,
    batches: &mut Batches,
    pieces: usize,
    device: &Device,
) -> Result<Pass<M>, TrainError> {
    let examples = batches.next().ok_or_else(ended)??;
    let Batch { input, target } = Batch::<M>::upload(examples, device)?;
    let mut loss = model.loss(model.forward(input.clone()), target);
    if pieces > 1 {
        loss = loss.div_scalar(pieces as f64);
    }
    let gradient = GradientsParams::from_grads(loss.backward(), model);
    Ok(Pass {
        gradient,
        loss: loss.inner(),
        input,
    })
}

/// On a GPU, reading a loss waits for the device: losses are read together, this many at a time.
const UNREAD: usize = 50;

/// The losses of an epoch, some of them still on the device.
pub(super) struct Losses {
    epoch: usize,
    steps: usize,
    /// How many losses may wait before they are read.
    patience: usize,
    /// Learning rate and loss of the steps whose loss is unread.
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
    fn at_once(&self) -> bool {
        self.patience == 1
    }

    /// Takes the loss of step `step`, counted from 1, and passes its gradient on; fails at the
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
        let (rates, losses): (Vec<_>, Vec<_>) = self.unread.drain(..).unzip();
        let data = Tensor::cat(losses, 0).into_data();
        for (rate, loss) in rates.into_iter().zip(data.iter::<f64>()) {
            self.read.push(loss);
            if !loss.is_finite() {
                return Err((self.read.len(), rate, loss));
            }
        }
        Ok(())
    }
}
