//! What a training measures of the loss surface on its way.

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::progress::Progress;
use crate::data::{DataError, Source};
use crate::flatness::{FlatnessError, Objective};
use crate::model::{Model, ModelConfig};

/// How often a training [measures](super::Trainer::measure) something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Every {
    /// After each so many epochs.
    Epochs(usize),
    /// After each so many optimizer steps, counted through all epochs.
    Steps(u64),
}

/// A figure that was [measured](super::Trainer::measure) on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Measurement {
    /// Its name.
    pub name: String,
    /// The optimizer steps before it, counted through all epochs.
    pub step: u64,
    /// The figure, or why there is none.
    pub result: Result<f64, String>,
}

/// A figure as a function of the loss.
type Measure<'a> = dyn Fn(&Objective<'a>) -> Result<f64, FlatnessError> + 'a;

/// Something to be measured.
pub(super) struct Figure<'a> {
    pub name: String,
    pub every: Every,
    pub source: &'a dyn Source,
    pub measure: Box<Measure<'a>>,
}

impl Figure<'_> {
    /// Whether it can be measured of `model`.
    pub(super) fn check<M: Model>(&self, model: &M) -> Result<(), TrainError> {
        let refused = |name| {
            Err(TrainError::Argument {
                name,
                found: 0,
                expected: "at least 1",
            })
        };
        match self.every {
            Every::Epochs(0) | Every::Steps(0) => refused("every"),
            _ if self.source.is_empty() => refused("examples"),
            _ => Ok(model.config().check(&self.source)?),
        }
    }

    fn is_due(&self, steps: u64, epoch: Option<usize>) -> bool {
        match (self.every, epoch) {
            (Every::Epochs(every), Some(epoch)) => epoch.is_multiple_of(every),
            (Every::Steps(every), None) => steps.is_multiple_of(every),
            _ => false,
        }
    }
}

/// Those of `figures` that are due after `steps` steps or, where one has just ended, after an epoch.
/// Fails if examples cannot be read; whatever else goes wrong is a result.
pub(super) fn measured<M: Model>(
    figures: &[Figure<'_>],
    model: &M,
    steps: u64,
    epoch: Option<usize>,
    progress: &mut Progress,
) -> Result<Vec<Measurement>, DataError> {
    let due = figures.iter().filter(|figure| figure.is_due(steps, epoch));
    let measurements = due.map(|figure| {
        progress.measuring(&figure.name);
        let objective = Objective::new(model, figure.source);
        let result = match objective.and_then(|objective| (figure.measure)(&objective)) {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(value) => Err(format!("it came to {value}")),
            Err(FlatnessError::Data(error)) => return Err(error),
            Err(error) => Err(error.to_string()),
        };
        let measurement = Measurement {
            name: figure.name.clone(),
            step: steps,
            result,
        };
        progress.measured(&measurement);
        Ok(measurement)
    });
    measurements.collect()
}
