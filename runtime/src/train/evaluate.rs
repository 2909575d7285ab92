//! Loss and accuracy over a whole data set.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::data::{DataError, Examples, Source, Target, checked};
use crate::exchange::{Alone, Exchange};
use crate::model::{Batch, Model, ModelConfig};

/// What a model comes to on a data set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The mean loss over the examples.
    pub loss: f64,
    /// The share of classes that are right, in `0..=1`, one for each example or for each place of
    /// one; `None` where the loss knows no right or wrong.
    pub accuracy: Option<f64>,
}

/// Loss and accuracy of `model` on every example of `source`, `batch` at a time, in inference
/// mode. Each example counts the same, those of a last uneven batch too.
///
/// # Errors
///
/// A data set that does not fit the model or is empty, a batch of 0, or an error of the source.
pub fn evaluate<M: Model>(
    model: &M,
    source: &dyn Source,
    batch: usize,
) -> Result<Evaluation, TrainError> {
    evaluate_among(model, source, batch, &Alone)
}

/// [`evaluate`], of which each process does a part.
pub(super) fn evaluate_among<M: Model>(
    model: &M,
    source: &dyn Source,
    batch: usize,
    exchange: &dyn Exchange,
) -> Result<Evaluation, TrainError> {
    let model = model.valid();
    let device = home(&model);
    // Read together at the end: on a GPU every reading waits for the device.
    let (mut weights, mut losses, mut right) = (Vec::new(), Vec::new(), Vec::new());
    for examples in batches(&model, source, batch, exchange)? {
        let (examples, count) = examples?;
        let Batch { input, target } = Batch::<M>::upload(examples, &device)?;
        let output = model.forward(input);
        right.extend(model.correct(output.clone(), target.clone()));
        losses.push(model.loss(output, target));
        weights.push(count as f64);
    }
    // The loss, what is right, and whether anything can be.
    let mut sums = [0.0; 3];
    if !losses.is_empty() {
        let losses = Tensor::cat(losses, 0).into_data();
        let losses = losses.iter::<f64>().zip(weights);
        sums[0] = losses.map(|(loss, weight)| loss * weight).sum();
    }
    if !right.is_empty() {
        let right = Tensor::cat(right, 0).into_data();
        sums[1] = right.iter::<i64>().sum::<i64>() as f64;
        sums[2] = 1.0;
    }
    exchange.sum_double(&mut sums)?;
    let examples = source.len() as f64;
    let decisions: usize = source.targets().iter().map(Target::decisions).sum();
    Ok(Evaluation {
        loss: sums[0] / examples,
        accuracy: (sums[2] > 0.0).then(|| sums[1] / (examples * decisions as f64)),
    })
}

/// This process's part of `source`, in order and `batch` at a time, and how many examples there are in
/// each batch.
pub(super) fn batches<'a, M: Model>(
    model: &M,
    source: &'a dyn Source,
    batch: usize,
    exchange: &dyn Exchange,
) -> Result<impl Iterator<Item = Result<(Examples, usize), DataError>> + 'a, TrainError> {
    model.config().check(&source)?;
    for (name, value) in [("batch", batch), ("examples", source.len())] {
        if value == 0 {
            return Err(TrainError::Argument {
                name,
                found: value,
                expected: "at least 1",
            });
        }
    }
    let firsts = (0..source.len()).step_by(batch);
    let firsts = firsts.skip(exchange.rank()).step_by(exchange.ranks());
    Ok(firsts.map(move |first| {
        let indices: Vec<usize> = (first..source.len().min(first + batch)).collect();
        Ok((checked(source, &indices)?, indices.len()))
    }))
}

/// Whether the loss of `model` knows right and wrong, by the first example of `source`.
pub(super) fn knows_right<M: Model>(model: &M, source: &dyn Source) -> Result<bool, TrainError> {
    if source.is_empty() {
        return Ok(true);
    }
    let model = model.valid();
    let Batch { input, target } = Batch::<M>::upload(checked(source, &[0])?, &home(&model))?;
    Ok(model.correct(model.forward(input), target).is_some())
}

/// The device of `model`, without differentiation.
pub(super) fn home<M: Model>(model: &M) -> Device {
    let device = model.devices().into_iter().next();
    device.unwrap_or_default().inner()
}
