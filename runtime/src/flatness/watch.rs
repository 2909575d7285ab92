//! What a person sees of a measurement, and how it is stopped early.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether measurements show how far they are, and what stops them before they are done.
///
/// A measurement that is stopped gives what it has come to, and says that it is not complete.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::AtomicBool;
///
/// use kiln::flatness::Watch;
///
/// let stop = Arc::new(AtomicBool::new(false)); // set it from a signal handler or another thread
/// let watch = Watch::bars().stop_when(stop);
/// # let _ = watch;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Watch {
    bars: bool,
    stop: Option<Arc<AtomicBool>>,
}

impl Watch {
    /// Shows nothing and stops for nothing.
    pub fn silent() -> Watch {
        Watch::default()
    }

    /// Shows a progress bar on standard error, where that is a terminal, of everything that takes
    /// more than a second.
    pub fn bars() -> Watch {
        Watch {
            bars: true,
            stop: None,
        }
    }

    /// Stops once `flag` is set.
    pub fn stop_when(self, flag: Arc<AtomicBool>) -> Watch {
        Watch {
            stop: Some(flag),
            ..self
        }
    }

    /// Whether to stop.
    pub fn stopped(&self) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// A task of `steps` steps that is called `name`.
    pub(crate) fn task(&self, name: &'static str, steps: usize) -> Task<'_> {
        Task {
            watch: self,
            name,
            steps,
            done: 0,
            begun: Instant::now(),
            bar: None,
        }
    }
}

/// Something that takes its time.
pub(crate) struct Task<'a> {
    watch: &'a Watch,
    name: &'static str,
    steps: usize,
    done: usize,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Task<'_> {
    /// Says that a step is done, and whether to go on.
    pub(crate) fn step(&mut self) -> bool {
        self.done += 1;
        let late = self.begun.elapsed() > Duration::from_secs(1);
        if self.bar.is_none() && self.watch.bars && late && std::io::stderr().is_terminal() {
            let style = "{msg} {bar:30.cyan/blue} {pos}/{len} {elapsed} (about {eta} left)";
            let style = ProgressStyle::with_template(style);
            let bar = ProgressBar::with_draw_target(
                Some(self.steps as u64),
                ProgressDrawTarget::stderr(),
            );
            let bar = bar
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(self.name)
                .with_elapsed(self.begun.elapsed());
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done as u64);
        }
        !self.watch.stopped()
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
