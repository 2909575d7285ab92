//! Loss and accuracy over a whole data set.

use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::data::Source;
use crate::model::{Batch, Model, ModelConfig};

/// What a model comes to on a data set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The mean loss over the examples.
    pub loss: f64,
    /// The share of examples that are right, in `0..=1`; `None` where the loss knows no right or
    /// wrong.
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
    let device = model
        .devices()
        .into_iter()
        .next()
        .unwrap_or_default()
        .inner();
    let (mut loss, mut correct, mut counted) = (0.0, 0u64, false);
    for first in (0..source.len()).step_by(batch) {
        let indices: Vec<usize> = (first..source.len().min(first + batch)).collect();
        let Batch { input, target } = Batch::<M>::upload(source.gather(&indices)?, &device)?;
        let output = model.forward(input);
        if let Some(right) = model.correct(output.clone(), target.clone()) {
            correct += right.into_scalar::<i64>().unsigned_abs();
            counted = true;
        }
        loss += model.loss(output, target).into_scalar::<f64>() * indices.len() as f64;
    }
    let examples = source.len() as f64;
    let accuracy = counted.then(|| correct as f64 / examples);
    Ok(Evaluation {
        loss: loss / examples,
        accuracy,
    })
}
