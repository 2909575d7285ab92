//! What a plateau is told after an epoch.

use super::evaluate::knows_right;
use super::{EpochRecord, TrainError, Trainer};
use crate::model::Model;
use crate::schedule::Metric;

impl EpochRecord {
    /// What `metric` came to; `None` where it was not measured.
    pub(super) fn measured(&self, metric: &Metric) -> Option<f64> {
        match metric {
            Metric::TrainingLoss => Some(self.loss),
            Metric::ValidationLoss => Some(self.validation?.loss),
            Metric::Accuracy => self.validation?.accuracy,
            Metric::Named(name) => self.metrics.get(name).copied(),
        }
    }
}

/// What to do where `trainer` does not measure `metric`.
pub(super) fn missing<M: Model, O, S>(
    metric: &Metric,
    trainer: &Trainer<M, O, S>,
) -> Result<Option<&'static str>, TrainError> {
    Ok(match (metric, trainer.settings.validation) {
        (Metric::TrainingLoss, _) | (Metric::ValidationLoss, Some(_)) => None,
        (Metric::ValidationLoss | Metric::Accuracy, None) => {
            Some("add `.validate(&source)`, or watch `training_loss`")
        }
        (Metric::Accuracy, Some(source)) if knows_right(&trainer.model, source)? => None,
        (Metric::Accuracy, Some(_)) => Some(
            "its loss knows no right or wrong, so there is no accuracy; watch `validation_loss`",
        ),
        (Metric::Named(name), _) if trainer.settings.metrics.iter().any(|(own, _)| own == name) => {
            None
        }
        (Metric::Named(name), _)
            if trainer.settings.figures.iter().any(|own| own.name == *name) =>
        {
            None
        }
        (Metric::Named(_), _) => Some(
            "the trainer measures `training_loss`, `validation_loss` and `accuracy`; tell it how to \
             measure another with `.metric(name, |model| ..)`",
        ),
    })
}
