//! What can be wrong with a schedule.

use thiserror::Error;

/// Why a schedule is no learning rate over a horizon.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A field of the [`Horizon`](super::Horizon) is 0.
    #[error("the horizon's `{field}` must be at least 1, found 0: {means}")]
    Horizon {
        /// The field.
        field: &'static str,
        /// What the field counts.
        means: &'static str,
    },
    /// A number is out of its range.
    #[error("{place}: {problem}")]
    Value {
        /// Which phase, or the peak.
        place: String,
        /// Which of its numbers, what was expected, and what was found.
        problem: String,
    },
    /// The phases do not form a chain.
    #[error("{place}: {problem}")]
    Order {
        /// Which phase.
        place: String,
        /// Why it cannot stand there.
        problem: String,
    },
    /// A phase lasts longer than the training does.
    #[error(
        "{place} ({phase}) ends at step {end}, but training ends at step {steps} \
         ({steps_per_epoch} steps an epoch); shorten it, train longer, or give its duration in %"
    )]
    TooLong {
        /// Which phase.
        place: String,
        /// The phase in words.
        phase: String,
        /// The step at which it ends.
        end: f64,
        /// The steps of the training.
        steps: u64,
        /// The steps of an epoch.
        steps_per_epoch: u64,
    },
    /// A phase that lasts until the end of training would begin there.
    #[error(
        "{place} ({phase}) has no time left: the phases before it last until the end of training, \
         step {steps}; shorten them or train longer"
    )]
    NothingLeft {
        /// Which phase.
        place: String,
        /// The phase in words.
        phase: String,
        /// The steps of the training.
        steps: u64,
    },
    /// A record that was not written by a [`Rate`](super::Rate).
    #[error("expected a record with the whole number `step`, as a schedule writes it, found none")]
    Record,
    /// A record without the state that a plateau needs to go on, or with one that cannot be.
    #[error(
        "expected the state of a plateau in the record (its best value, its bad epochs, its cooldown \
         and the steps of its reductions), found one that is damaged or of another schedule"
    )]
    PlateauRecord,
    /// More than one of these.
    #[error("the schedule has {} problems:{}", .0.len(), listed(.0))]
    Several(Vec<ScheduleError>),
}

impl ScheduleError {
    /// `Ok` where nothing was found.
    pub(super) fn collect(mut problems: Vec<ScheduleError>) -> Result<(), ScheduleError> {
        match problems.len() {
            0 => Ok(()),
            1 => Err(problems.remove(0)),
            _ => Err(ScheduleError::Several(problems)),
        }
    }
}

fn listed(problems: &[ScheduleError]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n- {problem}"))
        .collect()
}
