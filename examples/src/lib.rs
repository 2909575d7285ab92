//! What the programs share: the network that reads digits, and how a person sees them.

pub mod by_hand;
pub mod declared;
pub mod memory;

use std::error::Error;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use kiln::prelude::*;

model! {
    /// A small residual network for grey digits of any size.
    pub struct DigitNet {
        /// Height and width of the images in pixels: 8 for UCI's digits, 28 for MNIST's.
        size: usize = 28,
        /// Number of classes.
        classes: usize = 10,
        /// Share of units that dropout zeroes.
        drop: f64 = 0.25,
    }

    input image: [1, size, size];

    let stem = image -> conv2d(16, kernel: 3, padding: same) -> batch_norm -> relu;
    let body = stem
        -> residual {
            conv2d(16, kernel: 3, padding: same) -> batch_norm -> relu
            -> conv2d(16, kernel: 3, padding: same) -> batch_norm
        }
        -> relu -> max_pool2d(2)
        -> conv2d(32, kernel: 3, padding: same) -> batch_norm -> relu -> max_pool2d(2);
    let scores = body -> flatten -> dropout(drop) -> linear(classes);

    output scores;
    loss cross_entropy(label_smoothing: 0.05);
}

/// A class and how sure the network is of it, in `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// The class.
    pub class: usize,
    /// Its probability.
    pub probability: f32,
}

/// Classifies a batch of images, `[batch, 1, size, size]`.
pub fn classify(model: &DigitNet, images: Tensor<4>) -> Vec<Prediction> {
    let probabilities = kiln::burn::tensor::activation::softmax(model.forward(images), 1);
    let [_, classes] = probabilities.dims();
    let probabilities: Vec<f32> = probabilities.into_data().iter().collect();
    let best = |row: &[f32]| {
        let best = row
            .iter()
            .copied()
            .enumerate()
            .max_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map(|(class, probability)| Prediction { class, probability })
    };
    probabilities.chunks(classes).filter_map(best).collect()
}

/// Pictures beside each other, each with its caption below, in lines of at most `width` columns.
pub fn gallery(pictures: &[(String, String)], width: usize) -> String {
    let mut shown = String::new();
    let columns = |text: &str| {
        text.lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    };
    let cell = pictures
        .iter()
        .map(|(picture, caption)| columns(picture).max(columns(caption)));
    let cell = cell.max().unwrap_or(1) + 3;
    for row in pictures.chunks((width / cell).max(1)) {
        let lines = row
            .iter()
            .map(|(picture, _)| picture.lines().count())
            .max()
            .unwrap_or(0);
        for line in 0..lines {
            for (picture, _) in row {
                shown += &format!("{:cell$}", picture.lines().nth(line).unwrap_or(""));
            }
            shown.truncate(shown.trim_end().len());
            shown.push('\n');
        }
        for (_, caption) in row {
            shown += &format!("{caption:cell$}");
        }
        shown.truncate(shown.trim_end().len());
        shown += "\n\n";
    }
    shown
}

/// Runs a program on the default device, and lets the device finish what it was given.
///
/// Mesa's software Vulkan crashes in about one of twenty processes that end while it compiles a
/// kernel, so a program that has nothing more to ask of the device still waits for it.
pub fn on_device(run: impl FnOnce(&Device) -> Result<(), Box<dyn Error>>) -> ExitCode {
    finish(default_device().map_err(Into::into).and_then(|device| {
        let result = run(&device);
        let settled = device.sync();
        result.and(settled.map_err(|error| format!("the device failed: {error}").into()))
    }))
}

/// How a program ends: an error is one line to standard error. A reader that has seen enough
/// (`digits | head`) is none.
pub fn finish(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(closed) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// Whether a file can be created here; leaves no trace. Asked before the work, so that its result
/// is not lost to a folder that is not there.
pub fn writable(file: &Path) -> Result<(), String> {
    let existed = file.exists();
    let opened = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    opened.map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    if !existed {
        // Best effort: the file will be written over in the end.
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}
