//! What a network makes of examples.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write;

use burn::tensor::{Device, Tensor, TensorData};

use super::ReportError;
use crate::data::{Examples, Source, Target, checked};
use crate::kernel;
use crate::model::{Batch, Model, ModelConfig};
use crate::train::Run;

/// What a network makes of examples.
#[derive(Debug)]
pub(super) enum Predictions {
    /// Classes, each right or wrong.
    Classes {
        classes: usize,
        examples: usize,
        /// How often a class (the first) was taken for one (the second).
        counts: BTreeMap<(usize, usize), u64>,
        /// The wrong examples of the largest probabilities, the largest first.
        wrong: Vec<Sample>,
        /// Examples that are right, from all over the data set.
        right: Vec<Sample>,
    },
    /// Nothing that is right or wrong, and why.
    Other(String),
}

/// An example and what the network takes it for.
#[derive(Debug)]
pub(super) struct Sample {
    /// Its place in the data set.
    pub index: usize,
    pub class: usize,
    /// The likeliest classes with their probabilities, the likeliest first.
    pub likely: Vec<(usize, f32)>,
    pub picture: Option<Picture>,
}

/// An image to be drawn.
#[derive(Debug)]
pub(super) struct Picture {
    pub width: usize,
    pub height: usize,
    /// Two hexadecimal digits for red, green and blue of each pixel, or for its grey.
    pub pixels: String,
}

/// How many examples a forward pass takes at most.
const BATCH: usize = 256;
const WRONG: usize = 16;
const RIGHT: usize = 8;
/// How many classes of a sample are told.
const LIKELY: usize = 3;
/// An image that is larger is drawn with every so many of its pixels.
const LARGEST: usize = 96;

impl Predictions {
    pub(super) fn of<M: Model>(
        model: &M,
        source: &dyn Source,
        setup: &Run,
    ) -> Result<Self, ReportError> {
        model.config().check(&source)?;
        if source.is_empty() {
            return Err(ReportError::NoExamples);
        }
        let places = match &source.targets()[..] {
            [Target::Classes(_, places)] => places.clone(),
            [target] => {
                return Ok(Predictions::Other(format!(
                    "the loss compares with {target}"
                )));
            }
            targets => {
                let reason = format!("the loss compares with {} targets", targets.len());
                return Ok(Predictions::Other(reason));
            }
        };
        let network = Network::new(model);
        let (mut counts, mut classes) = (BTreeMap::new(), 0);
        let (mut wrong, mut right) = (Vec::new(), Vec::new());
        // What the training had memory for.
        let batch = (setup.batch / setup.micro_batches.max(1)).clamp(1, BATCH);
        for first in (0..source.len()).step_by(batch) {
            let indices: Vec<usize> = (first..source.len().min(first + batch)).collect();
            let Some(read) = network.read(checked(source, &indices)?)? else {
                let reason = "the network gives more than one tensor of scores".to_owned();
                return Ok(Predictions::Other(reason));
            };
            classes = read.classes;
            for (place, (class, row)) in read.rows().enumerate() {
                let scores = row.iter().copied().enumerate();
                // Of equal ones the first, as `Model::correct` takes it.
                let Some((found, probability)) = scores.min_by(|(_, a), (_, b)| b.total_cmp(a))
                else {
                    continue;
                };
                *counts.entry((class, found)).or_insert(0) += 1;
                if places.is_empty() {
                    let one = (first + place, probability);
                    if found == class {
                        &mut right
                    } else {
                        &mut wrong
                    }
                    .push(one);
                }
            }
        }
        wrong.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        wrong.truncate(WRONG);
        let apart = right.len().div_ceil(RIGHT).max(1);
        let right = right.into_iter().step_by(apart);
        let samples = |chosen: Vec<(usize, f32)>| {
            let indices: Vec<usize> = chosen.into_iter().map(|(index, _)| index).collect();
            network.samples(source, &indices)
        };
        Ok(Predictions::Classes {
            classes,
            examples: source.len(),
            counts,
            wrong: samples(wrong)?,
            right: samples(right.collect())?,
        })
    }
}

/// A network in inference, with its device.
struct Network<M> {
    model: M,
    device: Device,
}

/// Probabilities `[rows, classes]`, and the class of each row.
struct Read {
    classes: usize,
    probabilities: Vec<f32>,
    targets: Vec<usize>,
}

impl Read {
    fn rows(&self) -> impl Iterator<Item = (usize, &[f32])> {
        let rows = self.probabilities.chunks(self.classes.max(1));
        self.targets.iter().copied().zip(rows)
    }
}

impl<M: Model> Network<M> {
    fn new(model: &M) -> Self {
        let model = model.valid();
        let device = model.devices().into_iter().next();
        let device = device.unwrap_or_default().inner();
        Network { model, device }
    }

    fn read(&self, examples: Examples) -> Result<Option<Read>, ReportError> {
        let targets = examples.targets.iter().flat_map(TensorData::iter::<i64>);
        let targets = targets.map(|class| usize::try_from(class).unwrap_or(0));
        let targets = targets.collect();
        let Batch { input, .. } = Batch::<M>::upload(examples, &self.device)?;
        let output = self.model.forward(input);
        Ok(scores(&output).map(|scores| Read {
            classes: scores.dims()[1],
            probabilities: kernel::softmax(scores).into_data().iter().collect(),
            targets,
        }))
    }

    fn samples(&self, source: &dyn Source, indices: &[usize]) -> Result<Vec<Sample>, ReportError> {
        if indices.is_empty() {
            return Ok(Vec::new());
        }
        let examples = checked(source, indices)?;
        let pictures = pictures(&examples.inputs);
        let Some(read) = self.read(examples)? else {
            return Ok(Vec::new());
        };
        let pictures = pictures
            .into_iter()
            .map(Some)
            .chain(std::iter::repeat_with(|| None));
        let samples = indices.iter().zip(read.rows()).zip(pictures);
        let samples = samples.map(|((index, (class, row)), picture)| Sample {
            index: *index,
            class,
            likely: likeliest(row).take(LIKELY).collect(),
            picture,
        });
        Ok(samples.collect())
    }
}

/// The scores of a network's only output, whose last dimension are the classes, as `[rows, classes]`.
fn scores(output: &dyn Any) -> Option<Tensor<2>> {
    fn flat<const D: usize>(output: &dyn Any) -> Option<Tensor<2>> {
        let scores = output.downcast_ref::<Tensor<D>>()?.clone();
        let classes = scores.dims()[D - 1];
        Some(scores.reshape([-1, classes as i32]))
    }
    // A model says of its output no more than that it is tensors.
    let ranks = [flat::<2>, flat::<3>, flat::<4>, flat::<5>];
    ranks.into_iter().find_map(|flat| flat(output))
}

/// The classes with their probabilities, the likeliest first.
fn likeliest(row: &[f32]) -> impl Iterator<Item = (usize, f32)> {
    let mut classes: Vec<_> = row.iter().copied().enumerate().collect();
    classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    classes.into_iter()
}

/// The images of a batch; none where examples are no images.
fn pictures(inputs: &[TensorData]) -> Vec<Picture> {
    let [input] = inputs else { return Vec::new() };
    let [_, channels @ (1 | 3), height, width] = input.shape()[..] else {
        return Vec::new();
    };
    let numbers: Vec<f32> = input.iter().collect();
    let images = numbers.chunks((channels * height * width).max(1));
    images
        .map(|image| picture(image, channels, height, width))
        .collect()
}

fn picture(image: &[f32], channels: usize, height: usize, width: usize) -> Picture {
    let finite = image.iter().copied().filter(|number| number.is_finite());
    let (low, high) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), number| {
        (low.min(number), high.max(number))
    });
    let apart = height.max(width).div_ceil(LARGEST).max(1);
    let (rows, columns) = ((0..height).step_by(apart), (0..width).step_by(apart));
    let mut pixels = String::new();
    for row in rows.clone() {
        for column in columns.clone() {
            for channel in 0..channels {
                let number = image[(channel * height + row) * width + column];
                let byte = (255.0 * (number - low) / (high - low)).round() as u8;
                // Writing into a string does not fail.
                let _ = write!(pixels, "{byte:02x}");
            }
        }
    }
    Picture {
        width: columns.len(),
        height: rows.len(),
        pixels,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_drawn_from_its_smallest_number_to_its_largest() {
        let grey = picture(&[-1.0, 0.0, f32::NAN, 1.0], 1, 2, 2);
        assert_eq!(
            (grey.width, grey.height, grey.pixels.as_str()),
            (2, 2, "008000ff")
        );
        // Red, green and blue of a pixel lie a plane apart.
        let coloured = picture(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], 3, 1, 2);
        assert_eq!(coloured.pixels, "0066cc3399ff");
        let flat = picture(&[3.0; 4], 1, 2, 2);
        assert_eq!(flat.pixels, "00000000");
        let large = picture(&[0.0; 200 * 300], 1, 200, 300);
        assert_eq!((large.width, large.height), (75, 50));
    }
}
