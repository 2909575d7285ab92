//! What a person sees while it trains: a bar on a terminal, a line per epoch elsewhere.

use std::io::{IsTerminal, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use super::{EpochRecord, Measurement, Skipped};

/// Shows how far a training is.
pub(super) struct Progress {
    quiet: bool,
    epochs: usize,
    steps: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(quiet: bool, epochs: usize, steps: usize) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let style = "epoch {prefix} {bar:30.cyan/blue} {pos}/{len} {per_sec} {msg}";
            let style = ProgressStyle::with_template(style);
            ProgressBar::new(steps as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress {
            quiet,
            epochs,
            steps,
            bar,
        }
    }

    pub(super) fn epoch(&mut self, epoch: usize, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.set_position(steps as u64);
            bar.set_prefix(format!("{epoch}/{}", self.epochs));
        }
    }

    pub(super) fn step(&mut self, loss: Option<f64>, rate: f64) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
            if let Some(loss) = loss {
                bar.set_message(format!("loss {loss:.4}  rate {}", short(rate)));
            }
        }
    }

    pub(super) fn measuring(&mut self, name: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("measuring {name}"));
        }
    }

    pub(super) fn measured(&mut self, measurement: &Measurement) {
        let Measurement { name, step, result } = measurement;
        if let Err(error) = result {
            self.line(&format!("step {step}  `{name}` was not measured: {error}"));
        }
    }

    pub(super) fn resumed(&self, path: &Path, steps: u64, skipped: &[Skipped]) {
        for skipped in skipped {
            self.line(&format!(
                "passed over a checkpoint that is not whole, {skipped}"
            ));
        }
        self.line(&format!(
            "going on from {}, after step {steps}",
            path.display()
        ));
    }

    pub(super) fn ended(&self, reason: &str, goes_on: bool) {
        self.line(&match goes_on {
            true => format!("it had ended, and goes on: {reason}"),
            false => format!("it had ended: {reason}; `Checkpoints::allow_changes` lets it go on"),
        });
    }

    pub(super) fn stalled(&self, step: u64) {
        self.line(&format!(
            "step {step}  `newton_cg` stands still: neither its step nor one along the gradient \
             brings the loss of the batch down"
        ));
    }

    pub(super) fn finished(&mut self, record: &EpochRecord) {
        let speed = self.steps as f64 / record.seconds.max(1e-9);
        let width = self.epochs.to_string().len();
        let mut line = format!(
            "epoch {:width$}/{}  loss {:.4}",
            record.epoch, self.epochs, record.loss
        );
        if let Some(validation) = &record.validation {
            line += &format!("  validation loss {:.4}", validation.loss);
            if let Some(accuracy) = validation.accuracy {
                line += &format!("  accuracy {:6.2} %", 100.0 * accuracy);
            }
        }
        line += &format!(
            "  rate {}  {:.1} s ({speed:.0} steps/s)",
            short(record.rate),
            record.seconds
        );
        self.line(&line);
    }

    fn line(&self, line: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.println(line),
            // A log that cannot be written is no reason to stop a training.
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Three significant digits, as one writes a learning rate.
fn short(rate: f64) -> String {
    if rate == 0.0 || (1e-3..1e3).contains(&rate.abs()) {
        let digits = if rate == 0.0 {
            0
        } else {
            2 - rate.abs().log10().floor() as i32
        };
        format!("{rate:.*}", digits.max(0) as usize)
    } else {
        format!("{rate:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn rates_show_three_digits() {
        let shown = [0.1, 0.0123456, 3.2, 0.0, 1e-5, 12345.0].map(short);
        assert_eq!(shown, ["0.100", "0.0123", "3.20", "0", "1.00e-5", "1.23e4"]);
    }
}
