//! Burn's terminal dashboard over a training of ours.

use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};

use crate::train::{EpochRecord, Flow, Hook, HookError, Run, StepRecord};

/// Shows a training in Burn's terminal dashboard (feature `tui`): progress, and a plot of each
/// number, from which it can be stopped.
///
/// It draws what is [logged](crate::train::Trainer::log_every), so a small interval makes it livelier.
/// The trainer should be [`quiet`](crate::train::Trainer::quiet) beside it, and standard output has to
/// be a terminal.
///
/// ```no_run
/// # use kiln::data::digits;
/// # use kiln::prelude::*;
/// use kiln::train::Dashboard;
///
/// # model! {
/// #     struct Net;
/// #     input image: [1, 8, 8];
/// #     let scores = image -> flatten -> linear(10);
/// #     output scores;
/// #     loss cross_entropy;
/// # }
/// # optimizer! { struct Plain; update sgd(); }
/// # schedule! { struct Constant; peak 0.5; constant; }
/// # let model = NetConfig::new().init(&default_device()?)?;
/// Trainer::new(model, Plain::new(), Constant::new())
///     .epochs(100)
///     .hook(Dashboard::new())
///     .log_every(5)
///     .quiet()
///     .fit(digits()?)?;
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Default)]
pub struct Dashboard {
    interrupter: Interrupter,
    renderer: Option<TuiMetricsRendererWrapper>,
    /// The names that it knows.
    known: Vec<String>,
    run: Option<Run>,
}

/// Where a number belongs.
#[derive(Clone, Copy)]
enum Split {
    Training,
    Validation,
}

impl Dashboard {
    /// A dashboard that opens when training begins, and closes when it ends.
    pub fn new() -> Self {
        Self::default()
    }

    /// Draws. Burn's dashboard panics when a user kills the training from it.
    fn draw(
        &mut self,
        draw: impl FnOnce(&mut TuiMetricsRendererWrapper, &mut Vec<String>),
    ) -> Result<Flow, HookError> {
        let Some(mut renderer) = self.renderer.take() else {
            return Ok(Flow::Continue(()));
        };
        let drawing = AssertUnwindSafe(|| draw(&mut renderer, &mut self.known));
        if catch_unwind(drawing).is_err() {
            // To drop it would draw once more.
            std::mem::forget(renderer);
            return Err("it was killed from the dashboard".into());
        }
        self.renderer = Some(renderer);
        match self.interrupter.should_stop() {
            true => Ok(Flow::Break("it was stopped from the dashboard".to_owned())),
            false => Ok(Flow::Continue(())),
        }
    }
}

/// Shows `value` under `name`.
fn show(
    renderer: &mut TuiMetricsRendererWrapper,
    known: &mut Vec<String>,
    split: Split,
    name: &str,
    value: f64,
) {
    let id = MetricId::new(Arc::new(name.to_owned()));
    if !known.iter().any(|known| known == name) {
        known.push(name.to_owned());
        renderer.register_metric(MetricDefinition {
            metric_id: id.clone(),
            name: Arc::new(name.to_owned()),
            description: None,
            attributes: MetricAttributes::Numeric(NumericAttributes::default()),
        });
    }
    let entry = SerializedEntry::new(format!("{value:.4e}"), value.to_string());
    // A plot takes no NaN.
    let point = value.is_finite().then_some(NumericEntry::Value(value));
    let state = MetricState::Numeric(MetricEntry::new(id, entry), point);
    match split {
        Split::Training => renderer.update_train(state),
        Split::Validation => renderer.update_valid(state),
    }
}

impl<M> Hook<M> for Dashboard {
    fn begin(&mut self, run: &Run) -> Result<(), HookError> {
        if !std::io::stdout().is_terminal() {
            return Err("the dashboard needs a terminal as standard output".into());
        }
        self.run = Some(run.clone());
        let epoch = (run.steps / run.steps_per_epoch.max(1) as u64) as usize;
        let resumed = (run.steps > 0).then_some(epoch);
        self.renderer = Some(TuiMetricsRendererWrapper::new(
            self.interrupter.clone(),
            resumed,
        ));
        let run = run.clone();
        // Nobody can have stopped it yet.
        let _ = self.draw(|renderer, _| {
            // Burn counts the epoch at hand, and panics where that is none.
            renderer.start(
                run.epochs,
                epoch + 1,
                Some(run.steps_per_epoch),
                Some(&run.model),
            );
            renderer.start_split("train", run.steps_per_epoch);
        })?;
        Ok(())
    }

    fn step(&mut self, step: &StepRecord, _: &M) -> Result<Flow, HookError> {
        let per_epoch = self
            .run
            .as_ref()
            .map_or(1, |run| run.steps_per_epoch.max(1)) as u64;
        let StepRecord {
            loss,
            rate,
            gradient_norm,
            examples_per_second,
            ..
        } = *step;
        self.draw(|renderer, known| {
            let numbers = [
                ("Loss", loss),
                ("Learning rate", rate),
                ("Gradient norm", gradient_norm),
                ("Examples per second", examples_per_second),
            ];
            for (name, value) in numbers {
                show(renderer, known, Split::Training, name, value);
            }
            renderer.update_split(((step.step - 1) % per_epoch + 1) as usize);
        })
    }

    fn epoch(&mut self, epoch: &EpochRecord, _: &M) -> Result<Flow, HookError> {
        let per_epoch = self.run.as_ref().map_or(1, |run| run.steps_per_epoch);
        self.draw(|renderer, known| {
            if let Some(validation) = epoch.validation {
                show(renderer, known, Split::Validation, "Loss", validation.loss);
                if let Some(accuracy) = validation.accuracy {
                    show(renderer, known, Split::Validation, "Accuracy", accuracy);
                }
            }
            for (name, value) in &epoch.metrics {
                show(renderer, known, Split::Validation, name, *value);
            }
            renderer.update_epoch(epoch.epoch);
            renderer.start_split("train", per_epoch);
        })
    }
}
