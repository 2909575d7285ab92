//! Loss and accuracy over a whole data set.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::data::{Source, Target, checked};
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
    let model = model.valid();
    let device = home(&model);
    // Read together at the end: on a GPU every reading waits for the device.
    let (mut weights, mut losses, mut right) = (Vec::new(), Vec::new(), Vec::new());
    for first in (0..source.len()).step_by(batch) {
        let indices: Vec<usize> = (first..source.len().min(first + batch)).collect();
        let examples = checked(source, &indices)?;
        let Batch { input, target } = Batch::<M>::upload(examples, &device)?;
        let output = model.forward(input);
        right.extend(model.correct(output.clone(), target.clone()));
        losses.push(model.loss(output, target));
        weights.push(indices.len() as f64);
    }
    let examples = source.len() as f64;
    let losses = Tensor::cat(losses, 0).into_data();
    let loss: f64 = losses
        .iter::<f64>()
        .zip(weights)
        .map(|(loss, weight)| loss * weight)
        .sum();
    let accuracy = (!right.is_empty()).then(|| {
        let right = Tensor::cat(right, 0).into_data();
        let decisions: usize = source.targets().iter().map(Target::decisions).sum();
        right.iter::<i64>().sum::<i64>() as f64 / (examples * decisions as f64)
    });
    Ok(Evaluation {
        loss: loss / examples,
        accuracy,
    })
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
fn home<M: Model>(model: &M) -> Device {
    let device = model.devices().into_iter().next();
    device.unwrap_or_default().inner()
}
