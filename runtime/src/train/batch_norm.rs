//! Running statistics for weights that no pass has seen, as the mean of several weights is.

use std::vec::IntoIter;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};

use super::TrainError;
use crate::data::{Sampler, Source, checked};
use crate::model::{Model, ModelConfig, Upload};
use crate::optim::in_single;

/// `model`, ready for inference, with the running statistics of `batch_norm` and its like measured
/// anew: each is the mean of the statistics of the batches of `source`, `batch` examples at a time,
/// whatever the layer's momentum. Half precision is summed in single precision.
///
/// This is PyTorch's `update_bn`, for the mean of `average swa`; the trainer calls it there. The
/// batches are those of an epoch in training, in an order of their own and without an uneven last
/// one; with one batch more for the layers' momentum. Dropout draws from the device's random
/// numbers. A model without running statistics comes back as it is.
///
/// ```
/// use kiln::data::digits;
/// use kiln::prelude::*;
/// use kiln::train::update_batch_norm;
///
/// model! {
///     pub struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(16) -> batch_norm -> relu -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
///
/// let (train, _) = digits()?.split(0.8, 1)?;
/// let model = NetConfig::new().init(&default_device()?)?;
/// let model = update_batch_norm(&model, &train, 64)?;
/// # let _ = model;
/// # Ok::<(), kiln::Error>(())
/// ```
///
/// # Errors
///
/// A data set that does not fit the model, a batch of 0 or larger than the data set, or an error of
/// the source.
pub fn update_batch_norm<M: Model>(
    model: &M,
    source: &dyn Source,
    batch: usize,
) -> Result<M, TrainError> {
    let valid = model.valid();
    let statistics = Statistics::of(&valid);
    if !statistics.running.contains(&true) {
        return Ok(valid);
    }
    model.config().check(&source)?;
    let sampler = Sampler::new(source.len(), batch, 0)?;
    let order = sampler.epoch(0);
    let device = model.devices().into_iter().next().unwrap_or_default();
    let device = device.autodiff();
    let pass = |start: &dyn Fn(&Tensor<1>) -> Tensor<1>, step: usize| {
        let examples = checked(source, order.batch(step))?;
        let input = M::Input::upload(examples.inputs, &device)?;
        let start = statistics.values.iter().map(start).collect();
        let model = statistics.write(valid.clone(), start).train().no_grad();
        model.forward(input);
        let statistics = statistics.read(&model.valid());
        Ok::<Vec<_>, TrainError>(statistics.into_iter().map(in_single).collect())
    };
    // A layer turns the statistic `s` into `(1 - m) · s + m · b` with that of the batch. From 0
    // that is `m · b` ...
    let batches = sampler.steps_per_epoch();
    let mut sum = pass(&Tensor::zeros_like, 0)?;
    for step in 1..batches {
        let next = pass(&Tensor::zeros_like, step)?;
        sum = sum.into_iter().zip(next).map(|(a, b)| a + b).collect();
    }
    // ... and from far away it is the share that is kept.
    let kept = pass(&|value| value.full_like(far(value)), 0)?;
    let means = sum.into_iter().zip(kept).zip(&statistics.values);
    let means = means.map(|((sum, kept), before)| {
        let momentum = -kept.div_scalar(far(before)) + 1.0;
        let untouched = momentum.clone().equal_scalar(0.0);
        let mean = sum / momentum.mul_scalar(batches as f64);
        mean.mask_where(untouched, in_single(before.clone()))
    });
    let means = means.collect();
    Ok(statistics.write(valid, means))
}

/// So large that any statistic is lost in its rounding; a power of two, whose product is exact.
fn far(value: &Tensor<1>) -> f64 {
    match value.dtype() {
        DType::F16 => 2f64.powi(14),
        _ => 2f64.powi(100),
    }
}

/// The running statistics of a model.
pub(super) struct Statistics {
    /// For each parameter whether it is one.
    running: Vec<bool>,
    /// Their values, each flattened.
    values: Vec<Tensor<1>>,
}

impl Statistics {
    /// Those of `model`, which is in inference and shares none with another.
    pub(super) fn of<M: Module>(model: &M) -> Statistics {
        // What every parameter can be told, and no running statistic, is to take a gradient.
        let mut told = Told(Vec::new());
        model.valid().train().map(&mut Tell).visit(&mut told);
        let mut statistics = Statistics {
            running: told.0,
            values: Vec::new(),
        };
        statistics.values = statistics.read(model);
        statistics
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn read<M: Module>(&self, model: &M) -> Vec<Tensor<1>> {
        let mut reading = Reading {
            running: self.running.iter(),
            values: Vec::new(),
        };
        model.visit(&mut reading);
        reading.values
    }

    /// Gives `model`, which is in training, other values, and with it every clone of it.
    pub(super) fn assign<M: Module>(&self, model: &M, values: Vec<Tensor<1>>) {
        let values: Vec<_> = values.into_iter().map(Tensor::from_inner).collect();
        let mut writing = Writing {
            running: self.running.iter(),
            values: values.into_iter(),
        };
        let _ = model.clone().map(&mut writing);
    }

    /// `model` with other values. It shares nothing with the one that is given: to map a running
    /// statistic maps those of all clones.
    fn write<M: Module>(&self, model: M, values: Vec<Tensor<1>>) -> M {
        let mut writing = Writing {
            running: self.running.iter(),
            values: values.into_iter(),
        };
        model.valid().map(&mut writing)
    }
}

struct Tell;

impl ModuleMapper for Tell {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(Tensor::require_grad)
    }
}

struct Told(Vec<bool>);

impl ModuleVisitor for Told {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(!param.val().is_require_grad());
    }
}

struct Reading<'a> {
    running: std::slice::Iter<'a, bool>,
    values: Vec<Tensor<1>>,
}

impl ModuleVisitor for Reading<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.running.next() == Some(&true) {
            let value = param.val();
            let numbers = value.shape().num_elements();
            self.values.push(value.reshape([numbers]));
        }
    }
}

struct Writing<'a> {
    running: std::slice::Iter<'a, bool>,
    values: IntoIter<Tensor<1>>,
}

impl ModuleMapper for Writing<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.running.next() != Some(&true) {
            return param;
        }
        match self.values.next() {
            Some(value) => param.map(|old| value.reshape(old.shape()).cast(old.dtype())),
            None => param,
        }
    }
}
