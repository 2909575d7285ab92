//! Classifies the images of an IDX file with a model that `digits` saved.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kiln::data::idx_images;
use kiln::model::Size;
use kiln::prelude::*;
use kiln_examples::{DigitNet, classify, gallery, on_device};

/// Reads images from an IDX file (gzipped or not) and says which digits they show.
#[derive(Parser)]
#[command(name = "predict", version)]
struct Options {
    /// The model, as `digits` saved it.
    model: PathBuf,
    /// The images.
    images: PathBuf,
    /// How many of the images to show.
    #[arg(long, default_value_t = 8)]
    show: usize,
    /// Write index, digit and probability of every image to this file, as CSV.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    on_device(|device| run(&options, device, &mut io::stdout().lock()))
}

fn run(options: &Options, device: &Device, out: &mut impl io::Write) -> Result<(), Box<dyn Error>> {
    let model = DigitNet::load(&options.model, device)?;
    let images = idx_images(&options.images)?;
    let expected = model.config().inputs();
    let shape: Vec<_> = images.shape().iter().copied().map(Size::Fixed).collect();
    if expected != [shape] {
        let expected: Vec<_> = expected[0].iter().map(Size::to_string).collect();
        return Err(format!(
            "{} takes images of shape [{}], {} holds {:?}",
            options.model.display(),
            expected.join(", "),
            options.images.display(),
            images.shape(),
        )
        .into());
    }
    let count = if options.csv.is_some() {
        images.len()
    } else {
        images.len().min(options.show)
    };
    let mut pictures = Vec::new();
    let mut csv = String::from("index,digit,probability\n");
    for first in (0..count).step_by(256) {
        let indices: Vec<usize> = (first..count.min(first + 256)).collect();
        let input = Tensor::from_data(images.gather(&indices)?, device);
        for (index, read) in indices.into_iter().zip(classify(&model, input)) {
            if index < options.show {
                let caption = format!("{} ({:.0} %)", read.class, 100.0 * read.probability);
                pictures.push((images.ascii(index)?, caption));
            }
            writeln!(csv, "{index},{},{}", read.class, read.probability)?;
        }
    }
    write!(out, "{}", gallery(&pictures, 120))?;
    if let Some(file) = &options.csv {
        std::fs::write(file, csv)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        writeln!(
            out,
            "{count} images classified, written to {}",
            file.display()
        )?;
    }
    Ok(())
}
