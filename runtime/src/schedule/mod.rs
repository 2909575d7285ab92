//! Learning-rate schedules: a peak rate, and phases that are factors on it.
//!
//! A schedule is declared with [`schedule!`](crate::schedule!), which writes the configuration and
//! its [`Schedule`]; or built by hand as a [`Plan`], which is plain data. Bound to a [`Horizon`]
//! (how long training lasts, and at which batch) it becomes a [`Rate`]: a pure function of the
//! step, and a Burn [`LrScheduler`].
//!
//! ```
//! use kiln::schedule::{Horizon, Schedule};
//!
//! kiln::schedule! {
//!     /// Goyal et al. 2017: linear scaling, five epochs of warmup, three decays.
//!     pub struct OneHour { base: f64 = 0.1 }
//!
//!     peak base per 256 examples;
//!     warmup(5 epochs, from: 0.0) -> step(factor: 0.1, at: [30, 60, 80] epochs);
//! }
//!
//! let horizon = Horizon { steps: 90 * 156, steps_per_epoch: 156, batch: 8192 };
//! let rate = OneHour::new().over(&horizon)?;
//! assert_eq!(rate.at(0), 0.0);
//! assert_eq!(rate.at(5 * 156), 3.2);
//! assert_eq!(
//!     OneHour::new().plan().to_string(),
//!     "0.1 per 256 examples (linear); warmup from 0 over 5 epochs; then x0.1 at epochs 30, 60, 80",
//! );
//! # Ok::<(), kiln::schedule::ScheduleError>(())
//! ```

mod choice;
mod error;
mod factor;
mod phase;
mod plan;
mod plateau;
mod plot;
mod rate;
mod time;
mod words;
// `macros/src/schedule/rules.rs` and `phases.rs`, where the macro reads the same rules.
#[allow(dead_code, reason = "some of it serves the macro alone")]
mod shared {
    kiln_macros::__schedule_rules!();
    pub use phases::*;
    pub use rules::*;
}

/// The body of [`schedule!`](crate::schedule!) over a struct of yours, whose fields are the
/// hyper-parameters: `f64` or `usize`, with `#[schedule(default = ..)]` where they have a default.
///
/// What `schedule!` writes beside the struct is derived: `new`, the `with_` setters, serde, `Display`,
/// `Default` where every field has one, Burn's `Config`, and [`Schedule`](trait@Schedule). The
/// struct has to be `Clone` and `Debug`.
///
/// ```
/// use kiln::prelude::*;
///
/// #[derive(Schedule, Clone, Debug, PartialEq)]
/// #[schedule(peak base per 256 examples; warmup(5 epochs) -> cosine;)]
/// pub struct Goyal {
///     #[schedule(default = 0.1)]
///     base: f64,
/// }
///
/// assert_eq!(Goyal::new().with_base(0.2).plan().peak, 0.2);
/// ```
pub use kiln_macros::Schedule;

use burn::config::Config;
#[doc(no_inline)]
pub use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};

pub use choice::{CycleShape, CyclicMode, Metric, MetricMode, ThresholdMode, WarmupShape};
pub use error::ScheduleError;
pub use phase::Phase;
pub use plan::{Plan, Scaling};
pub use rate::Rate;
pub use time::Time;

/// The configuration of a schedule; [`schedule!`](crate::schedule!) implements it.
pub trait Schedule: Config + Clone + Send + Sync + 'static {
    /// The schedule with the values that the hyper-parameters have now.
    fn plan(&self) -> Plan;

    /// The learning rate over a training of that length.
    ///
    /// # Errors
    ///
    /// As [`Plan::over`].
    fn over(&self, horizon: &Horizon) -> Result<Rate, ScheduleError> {
        self.plan().over(horizon)
    }
}

/// What a training is, as far as its learning rate is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// How many times the optimizer steps. A step is an update of the parameters, however many
    /// micro-batches went into it.
    pub steps: u64,
    /// How many of these steps make an epoch.
    pub steps_per_epoch: u64,
    /// Examples that go into one step, the global batch: micro-batch × accumulation × processes.
    pub batch: usize,
}
