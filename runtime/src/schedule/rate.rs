//! A schedule bound to a horizon: the learning rate at a step.

use burn::optim::LearningRate;

use super::factor::Progress;
use super::plateau::Plateau;
use super::{Horizon, LrScheduler, LrSchedulerRecord, Metric, Plan, ScheduleError};

/// The learning rate over a training: [`Schedule::over`](super::Schedule::over) makes it.
///
/// [`at`](Self::at) is a pure function of the step, so any step can be asked for. As a Burn
/// [`LrScheduler`] it counts along: its state is the number of the next step, and that of a
/// [`Phase::Plateau`](super::Phase::Plateau), if it has one, which must be told of its metric:
/// [`observe`](Self::observe).
///
/// ```
/// use kiln::schedule::{Horizon, LrScheduler, Schedule};
///
/// kiln::schedule! {
///     /// Warmup, then half a cosine.
///     pub struct Cosine;
///     peak 3.0;
///     warmup(10 %) -> cosine;
/// }
///
/// let mut rate = Cosine::new().over(&Horizon { steps: 100, steps_per_epoch: 10, batch: 32 })?;
/// assert_eq!(rate.at(5), 1.5);
/// assert_eq!([rate.step(), rate.step()], [rate.at(0), rate.at(1)]);
/// # Ok::<(), kiln::schedule::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    plan: Plan,
    /// The peak rate at the batch of the horizon.
    peak: f64,
    /// One for each phase.
    segments: Vec<Segment>,
    horizon: Horizon,
    /// The step that [`LrScheduler::step`] comes to next.
    next: u64,
    plateau: Option<Plateau>,
}

/// The steps of a phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// The step at which it begins.
    pub start: f64,
    /// How many steps it lasts, which may be for ever.
    pub length: f64,
    /// The factor that the phase before ended with.
    pub entry: f64,
}

/// The names in a record: of the next step, and before those of a plateau.
const STEP: &str = "step";
const PLATEAU: &str = "plateau";

impl Rate {
    pub(super) fn new(plan: Plan, peak: f64, segments: Vec<Segment>, horizon: Horizon) -> Self {
        let last = plan.phases.last().zip(segments.last());
        let plateau = last
            .and_then(|(phase, segment)| Plateau::new(phase, segment.start, peak * segment.entry));
        Rate {
            plan,
            peak,
            segments,
            horizon,
            next: 0,
            plateau,
        }
    }

    /// The schedule that this is the rate of.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The training that this is the rate over.
    pub fn horizon(&self) -> &Horizon {
        &self.horizon
    }

    /// The learning rate of the step numbered `step`, from 0. After the end of training the last
    /// phase goes on, or its last factor is held. A plateau has every reduction that was made, at
    /// its step; steps to come have the rate that it has now.
    pub fn at(&self, step: u64) -> f64 {
        if let Some(rate) = self.plateau.as_ref().and_then(|plateau| plateau.rate(step)) {
            return rate;
        }
        let step = step as f64;
        let mut phases = self.segments.iter().zip(&self.plan.phases).rev();
        let begun = phases.find(|(segment, _)| segment.start <= step);
        let factor = begun.map_or(1.0, |(segment, phase)| {
            phase.factor(&Progress {
                t: (step - segment.start).min(segment.length),
                length: segment.length,
                step,
                start: segment.start,
                entry: segment.entry,
                horizon: &self.horizon,
            })
        });
        self.peak * factor
    }

    /// The first step of each phase.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        let starts = self.segments.iter().map(|segment| segment.start.ceil());
        starts.map(|start| start as u64)
    }

    /// The metric that a plateau watches: [`observe`](Self::observe) must be told of it after each
    /// epoch. `None` where there is no plateau.
    pub fn watches(&self) -> Option<&Metric> {
        self.plateau.as_ref().map(|plateau| &plateau.on)
    }

    /// Takes the `value` that the metric of [`watches`](Self::watches) has after the steps that were
    /// taken, which a plateau may answer by a lower rate from the next step on. To be called once
    /// an epoch; the [`Trainer`](crate::train::Trainer) does.
    ///
    /// Values that come before the plateau's first step do not count, a NaN is no better than
    /// anything, and without a plateau nothing happens. Burn's `Learner` knows an
    /// [`LrScheduler`] alone and observes nothing: there the rate of a plateau never falls.
    ///
    /// ```
    /// use kiln::schedule::{Horizon, LrScheduler, Schedule};
    ///
    /// kiln::schedule! {
    ///     /// A tenth when the loss has not fallen for more than two epochs.
    ///     pub struct Patient;
    ///     peak 0.1;
    ///     plateau(patience: 2 epochs, on: training_loss);
    /// }
    ///
    /// let horizon = Horizon { steps: 8, steps_per_epoch: 1, batch: 32 };
    /// let mut rate = Patient::new().over(&horizon)?;
    /// for loss in [1.0, 0.5, 0.5, 0.5, 0.5, 0.5] {
    ///     rate.step();
    ///     rate.observe(loss);
    /// }
    /// assert_eq!([rate.at(4), rate.at(5)], [0.1, 0.1 * 0.1]);
    /// # Ok::<(), kiln::schedule::ScheduleError>(())
    /// ```
    pub fn observe(&mut self, value: f64) {
        if let Some(plateau) = &mut self.plateau {
            plateau.observe(self.next, value);
        }
    }

    /// Goes on from the step that `record` was written at, with the state that a plateau had then.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Record`] if another kind of scheduler wrote it, and
    /// [`ScheduleError::PlateauRecord`] if the state of this schedule's plateau is not whole;
    /// nothing changes then. Burn's [`load_record`](LrScheduler::load_record) cannot fail and
    /// passes over such a record.
    pub fn resume(&mut self, record: &LrSchedulerRecord) -> Result<(), ScheduleError> {
        let next = record.scalar(STEP).ok_or(ScheduleError::Record)?;
        if let Some(plateau) = &mut self.plateau {
            *plateau = plateau
                .resumed(&record.record(PLATEAU), next)
                .ok_or(ScheduleError::PlateauRecord)?;
        }
        self.next = next;
        Ok(())
    }
}

impl LrScheduler for Rate {
    fn step(&mut self) -> LearningRate {
        let rate = self.at(self.next);
        self.next = self.next.saturating_add(1);
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        let record = LrSchedulerRecord::new().with_scalar(STEP, self.next);
        match &self.plateau {
            Some(plateau) => record.with_record(PLATEAU, plateau.to_record()),
            None => record,
        }
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        // Burn's trait has no way to fail, and a panic would end a run over a foreign file.
        let _ = self.resume(&record);
    }
}
