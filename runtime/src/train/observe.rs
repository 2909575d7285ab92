//! What a plateau is told after an epoch.

use super::evaluate::knows_right;
use super::{EpochRecord, Settings, TrainError, Trainer};
use crate::model::Model;
use crate::schedule::Metric;

impl EpochRecord {
    /// What `metric` came to; `None` where it was not measured.
    pub fn measured(&self, metric: &Metric) -> Option<f64> {
        match metric {
            Metric::TrainingLoss => Some(self.loss),
            Metric::ValidationLoss => Some(self.validation?.loss),
            Metric::Accuracy => self.validation?.accuracy,
            Metric::Named(name) => self.metrics.get(name).copied(),
        }
    }
}

impl<M> Settings<'_, M> {
    /// The names of what is measured beside loss and accuracy.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let metrics = self.metrics.iter().map(|(own, _)| own);
        let burns = self.burn_metrics.iter().map(|(own, _)| own);
        let figures = self.figures.iter().map(|own| &own.name);
        metrics.chain(burns).chain(figures)
    }
}

/// What to do where `trainer` does not measure `metric`.
pub(super) fn missing<M: Model, O, S>(
    metric: &Metric,
    trainer: &Trainer<M, O, S>,
) -> Result<Option<&'static str>, TrainError> {
    let of = &trainer.settings;
    Ok(match (metric, of.validation) {
        (Metric::TrainingLoss, _) | (Metric::ValidationLoss, Some(_)) => None,
        (Metric::ValidationLoss | Metric::Accuracy, None) => {
            Some("add `.validate(&source)`, or watch `training_loss`")
        }
        (Metric::Accuracy, Some(source)) if knows_right(&trainer.model, source)? => None,
        (Metric::Accuracy, Some(_)) => Some(
            "its loss knows no right or wrong, so there is no accuracy; watch `validation_loss`",
        ),
        (Metric::Named(name), _) if of.names().any(|own| own == name) => None,
        (Metric::Named(_), _) => Some(
            "the trainer measures `training_loss`, `validation_loss` and `accuracy`; tell it how to \
             measure another with `.metric(name, |model| ..)`",
        ),
    })
}
