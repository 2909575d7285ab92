//! A schedule bound to a horizon: the learning rate at a step.

use burn::optim::LearningRate;

use super::phase::Progress;
use super::{Horizon, LrScheduler, LrSchedulerRecord, Phase, ScheduleError};

/// The learning rate over a training: [`Schedule::over`](super::Schedule::over) makes it.
///
/// [`at`](Self::at) is a pure function of the step, so any step can be asked for. As a Burn
/// [`LrScheduler`] it counts along: its state is the number of the next step, and nothing else.
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
    peak: f64,
    segments: Vec<Segment>,
    horizon: Horizon,
    /// The step that [`LrScheduler::step`] comes to next.
    next: u64,
}

/// A phase and its steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// The step at which it begins.
    pub start: f64,
    /// How many steps it lasts, which may be for ever.
    pub length: f64,
    pub phase: Phase,
}

/// The name of the next step in a record.
const STEP: &str = "step";

impl Rate {
    pub(super) fn new(peak: f64, segments: Vec<Segment>, horizon: Horizon) -> Self {
        Rate {
            peak,
            segments,
            horizon,
            next: 0,
        }
    }

    /// The learning rate of the step numbered `step`, from 0. After the end of training the last
    /// phase goes on, or its last factor is held.
    pub fn at(&self, step: u64) -> f64 {
        let step = step as f64;
        let begun = self
            .segments
            .iter()
            .rev()
            .find(|segment| segment.start <= step);
        let factor = begun.map_or(1.0, |segment| {
            segment.phase.factor(&Progress {
                t: (step - segment.start).min(segment.length),
                length: segment.length,
                step,
                horizon: &self.horizon,
            })
        });
        self.peak * factor
    }

    /// Goes on from the step that `record` was written at.
    ///
    /// # Errors
    ///
    /// [`ScheduleError::Record`] if another kind of scheduler wrote it; nothing changes then.
    /// Burn's [`load_record`](LrScheduler::load_record) cannot fail and passes over such a record.
    pub fn resume(&mut self, record: &LrSchedulerRecord) -> Result<(), ScheduleError> {
        self.next = record.scalar(STEP).ok_or(ScheduleError::Record)?;
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
        LrSchedulerRecord::new().with_scalar(STEP, self.next)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        // Burn's trait has no way to fail, and a panic would end a run over a foreign file.
        let _ = self.resume(&record);
    }
}
