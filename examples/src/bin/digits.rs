//! Trains a declared network to read handwritten digits, shows what it learned, and saves it.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use kiln::data::{Images, Subset, digits, mnist};
use kiln::prelude::*;
use kiln::report::Report;
use kiln::schedule::{Metric, MetricMode};
#[cfg(feature = "tui")]
use kiln::train::Dashboard;
use kiln::train::{
    Checkpoints, EarlyStopping, Every, JsonLines, TensorBoard, TrainError, TrainFailure,
};
use kiln_examples::{DigitNet, DigitNetConfig, classify, gallery, on_device, writable};
use serde_json::json;

optimizer! {
    /// SGD with Nesterov's momentum; biases and norms are not decayed.
    pub struct Momentum { momentum: f64 = 0.9, decay: f64 = 5e-4 }

    update sgd(momentum: momentum, nesterov: true, weight_decay: decay);
    update sgd(momentum: momentum, nesterov: true) for bias, norm;
    clip global_norm(5.0);
}

schedule! {
    /// A short warmup, then half a cosine down to zero; the rate grows with the batch.
    pub struct Decay { base: f64 = 0.1 }

    peak base per 64 examples;
    warmup(10 %, from: 0.1) -> cosine(to: 0.0);
}

/// Trains a small residual network on handwritten digits and saves it.
///
/// Without --data it learns the 1,797 digits of UCI's "Optical Recognition of Handwritten Digits"
/// (E. Alpaydin and C. Kaynak, 1998; CC BY 4.0), which are built in: 80 % to learn from, 20 % to
/// be tested on. The device is the most specific backend that was compiled in; KILN_DEVICE
/// (flex, ndarray or wgpu) chooses another.
#[derive(Parser)]
#[command(name = "digits", version)]
struct Options {
    /// Train on MNIST from this folder (the four IDX files, gzipped or not).
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How often to go through the training images [default: 15; 4 for MNIST].
    #[arg(long)]
    epochs: Option<usize>,
    /// Images per step [default: 32; 128 for MNIST].
    #[arg(long)]
    batch: Option<usize>,
    /// The seed of the split, the initial weights and the order of the images.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to save the trained model.
    #[arg(long, value_name = "FILE", default_value = "digits.bpk")]
    model: PathBuf,
    /// Write a page about the training to this file (HTML), to look at in a browser.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the result to this file as one JSON object.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep checkpoints in this folder: the last three, and the best as best.kiln.
    #[arg(long, value_name = "DIR")]
    checkpoints: Option<PathBuf>,
    /// Steps between two checkpoints [default: one after each epoch].
    #[arg(long, value_name = "STEPS", requires = "checkpoints")]
    every: Option<u64>,
    /// Go on from the newest checkpoint that is whole.
    #[arg(long, requires = "checkpoints")]
    resume: bool,
    /// Go on although something differs that does no harm, such as --epochs.
    #[arg(long, requires = "resume")]
    allow_changes: bool,
    /// Stop when the test loss has not fallen for this many epochs.
    #[arg(long, value_name = "EPOCHS")]
    patience: Option<usize>,
    /// Write every 50th step and every epoch to this file, as lines of JSON.
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Write them to this folder as TensorBoard's event files.
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// Show the training in Burn's terminal dashboard.
    #[cfg(feature = "tui")]
    #[arg(long)]
    dashboard: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    // Not locked: the dashboard draws from a thread of its own.
    on_device(|device| run(&options, device, &mut std::io::stdout()))
}

fn run(options: &Options, device: &Device, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (name, train, test, size, epochs, batch): (_, Examples, Examples, _, _, _) =
        match &options.data {
            None => {
                let (train, test) = digits()?.split(0.8, options.seed)?;
                ("DigitNet on UCI's digits", train, test, 8, 15, 32)
            }
            Some(folder) => {
                let (train, test) = mnist(folder)?;
                ("DigitNet on MNIST", all(train)?, all(test)?, 28, 4, 128)
            }
        };
    let epochs = options.epochs.unwrap_or(epochs);
    let batch = options.batch.unwrap_or(batch);
    // A model that took minutes to train must not be lost to a folder that is not there.
    let files = [
        Some(&options.model),
        options.json.as_ref(),
        options.report.as_ref(),
    ];
    for file in files.into_iter().flatten() {
        writable(file)?;
    }

    device.seed(options.seed);
    let model = DigitNetConfig::new().with_size(size).init(device)?;
    writeln!(out, "{}\n", model.summary())?;
    writeln!(
        out,
        "{} images to learn from, {} to be tested on; {epochs} epochs at a batch of {batch}, on {}\n",
        train.len(),
        test.len(),
        kiln::device::name(device),
    )?;
    let mut trainer = Trainer::new(model, Momentum::new(), Decay::new())
        .epochs(epochs)
        .batch(batch)
        .seed(options.seed)
        .validate(&test);
    if let Some(folder) = &options.checkpoints {
        trainer = trainer.checkpoints(
            Checkpoints::new(folder)
                .every(options.every.map_or(Every::Epochs(1), Every::Steps))
                .best(Metric::ValidationLoss, MetricMode::Min)
                .resume(options.resume)
                .allow_changes(options.allow_changes),
        );
    }
    if let Some(epochs) = options.patience {
        let stopping = EarlyStopping::new(Metric::ValidationLoss, MetricMode::Min);
        trainer = trainer.hook(stopping.patience(epochs));
    }
    if let Some(file) = &options.metrics {
        trainer = trainer.hook(JsonLines::new(file));
    }
    if let Some(folder) = &options.tensorboard {
        trainer = trainer.hook(TensorBoard::new(folder));
    }
    #[cfg(feature = "tui")]
    if options.dashboard {
        trainer = trainer.hook(Dashboard::new()).log_every(1).quiet();
    }
    let run = match trainer.fit(train) {
        Ok(run) => run,
        Err(failure) => return Err(rescue(failure, &options.model)),
    };
    if let Some(reason) = &run.stopped {
        writeln!(out, "stopped after {} epochs: {reason}", run.history.len())?;
    }
    run.model.save(&options.model)?;
    if let Some(file) = &options.report {
        Report::new(name, &run).examples(&test)?.write(file)?;
    }

    let result = run.validation().ok_or("nothing was tested")?;
    let accuracy = result.accuracy.ok_or("the loss knows no right or wrong")?;
    if let Some(file) = &options.json {
        let result = json!({
            "test_accuracy": accuracy,
            "test_loss": result.loss,
            "epochs": epochs,
            "steps": run.steps,
            "seconds": run.seconds,
            "device": kiln::device::name(device),
        });
        std::fs::write(file, format!("{result:#}\n"))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    show(&run.model, &test, device, out)?;
    writeln!(
        out,
        "test accuracy {:.2} %, test loss {:.4}, {} steps in {:.1} s",
        100.0 * accuracy,
        result.loss,
        run.steps,
        run.seconds,
    )?;
    writeln!(out, "saved to {}", options.model.display())?;
    Ok(())
}

/// Images by their index, from either data set.
type Examples = Subset<Images>;

fn all(images: Images) -> kiln::Result<Examples> {
    let indices = (0..images.len()).collect();
    Ok(Subset::new(Arc::new(images), indices)?)
}

/// Saves what a failed training had come to, beside the file that it was meant for.
fn rescue(failure: TrainFailure<DigitNet>, file: &Path) -> Box<dyn Error> {
    let TrainFailure { error, trained } = failure;
    if let TrainError::Interrupted { .. } = error {
        let flags = std::env::args().filter(|flag| flag != "--resume");
        let command = flags.collect::<Vec<_>>().join(" ");
        return format!("{error}\n  {command} --resume").into();
    }
    // Of a training that did not begin there is nothing to save.
    if trained.steps == 0 {
        return error.into();
    }
    let file = file.with_extension("failed.bpk");
    let saved = match trained.model.save(&file) {
        Ok(()) => format!(
            "the last model with finite weights is in {}",
            file.display()
        ),
        Err(error) => error.to_string(),
    };
    format!("{error}\n{saved}").into()
}

/// Prints four test images as the network reads them, and up to four that it misreads.
fn show(
    model: &DigitNet,
    test: &Examples,
    device: &Device,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut right = Vec::new();
    let mut wrong = Vec::new();
    for first in (0..test.len()).step_by(256) {
        let indices: Vec<usize> = (first..test.len().min(first + 256)).collect();
        let Batch { input, .. } = Batch::<DigitNet>::upload(test.gather(&indices)?, device)?;
        for (index, read) in indices.into_iter().zip(classify(model, input)) {
            let image = test.indices()[index];
            let label = test.source().label(image)?;
            let sure = 100.0 * read.probability;
            let (found, caption) = if read.class == label {
                (&mut right, format!("{} ({sure:.0} %)", read.class))
            } else {
                (
                    &mut wrong,
                    format!("{} ({sure:.0} %), is {label}", read.class),
                )
            };
            if found.len() < 4 {
                found.push((test.source().ascii(image)?, caption));
            }
        }
    }
    writeln!(out, "\nread as\n\n{}", gallery(&right, 120))?;
    if !wrong.is_empty() {
        writeln!(out, "misread as\n\n{}", gallery(&wrong, 120))?;
    }
    Ok(())
}
