//! Augmentation: images that a training sees a little differently each time.

use serde::{Deserialize, Serialize};

use super::image::{Image, Window};
use super::shuffle::SplitMix64;
use super::source::{fetched, floats};
use super::{DataError, Draw, Examples, Source, Target, TensorData};

/// One way to change an image `[channels, height, width]` by chance, all channels alike.
///
/// ```
/// use kiln::data::{Augmentation, Border};
///
/// // He et al. 2016 on CIFAR-10: four pixels of zeros around it, a window of the old size, a flip.
/// let usual = [
///     Augmentation::Crop { size: [32, 32], padding: 4, border: Border::Constant(0.0) },
///     Augmentation::HorizontalFlip { probability: 0.5 },
/// ];
/// let written = serde_json::to_string(&usual)?;
/// assert_eq!(serde_json::from_str::<Vec<Augmentation>>(&written)?, usual);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Augmentation {
    /// A window of the image, at each place as likely as at the others. Where nothing is augmented,
    /// the window in the middle: of a window as large as the image that is the image.
    Crop {
        /// `[height, width]` of the window.
        size: [usize; 2],
        /// Pixels that are put at each side of the image beforehand.
        padding: usize,
        /// What they hold.
        border: Border,
    },
    /// Left becomes right.
    HorizontalFlip {
        /// How likely.
        probability: f64,
    },
    /// Up becomes down.
    VerticalFlip {
        /// How likely.
        probability: f64,
    },
    /// A rotation about the centre, counter-clockwise, with bilinear interpolation, as torchvision's
    /// `rotate`. The image keeps its size.
    Rotation {
        /// The angle is uniform between these, in degrees.
        degrees: [f64; 2],
        /// What is beyond the image.
        border: Border,
    },
    /// A rectangle at a random place is overwritten (Zhong et al. 2020), as by torchvision's
    /// `RandomErasing`: the aspect ratio is uniform in its logarithm, and an image into which ten
    /// rectangles did not fit stays as it is.
    Erasing {
        /// How likely; 0.5 in the paper.
        probability: f64,
        /// The share of the image is uniform between these; 0.02 and 0.4 in the paper.
        area: [f64; 2],
        /// Height by width is between these; 0.3 and 1/0.3 in the paper.
        aspect: [f64; 2],
        /// What is written.
        fill: Fill,
    },
}

/// What is beyond the edge of an image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Border {
    /// The same number everywhere. Zero is the mean where images are
    /// [normalised](super::Images::normalized), and black where they are not.
    Constant(f32),
    /// The image again, mirrored at its outermost pixels, which do not occur twice: `cb|abc|ba`.
    Reflect,
}

/// What [erasing](Augmentation::Erasing) writes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fill {
    /// The same number everywhere.
    Constant(f32),
    /// For each number of the rectangle one that is uniform between these: the paper's best.
    Uniform([f32; 2]),
}

/// A source of images whose training examples are augmented.
///
/// It augments what is [drawn](Source::draw), which is what [`Trainer::fit`](crate::train::Trainer::fit)
/// does; what is [gathered](Source::gather), as for validation, stays as it is. The random numbers of
/// an example come from the seed, the epoch and its index alone.
///
/// # Example
///
/// ```
/// use kiln::data::{Augmentation, Augmented, Border, Draw, Source, digits};
///
/// let plain = digits()?;
/// let digits = Augmented::new(plain.clone(), [
///     Augmentation::Crop { size: [8, 8], padding: 1, border: Border::Constant(0.0) },
///     Augmentation::Rotation { degrees: [-10.0, 10.0], border: Border::Constant(0.0) },
/// ])?;
/// assert_eq!(digits.gather(&[3])?, plain.gather(&[3])?);
///
/// let draw = Draw { seed: 42, epoch: 0 };
/// assert_ne!(digits.draw(&[3], draw)?, plain.gather(&[3])?);
/// assert_eq!(digits.draw(&[3], draw)?, digits.draw(&[3], draw)?);
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Augmented<S> {
    source: S,
    steps: Vec<Augmentation>,
    /// Before the steps and after them.
    shape: [usize; 3],
    augmented: [usize; 3],
}

impl<S: Source> Augmented<S> {
    /// Changes the images of `source` by `steps`, one after the other.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless the source has one input `[channels, height, width]` and each
    /// step is possible: probabilities in `0..=1`, ranges in order and finite, a window no larger
    /// than the image with its padding. No target may have two dimensions or more, such as a class or a
    /// value for each pixel, unless all steps are erasing: what a step moves would move away from it.
    pub fn new(
        source: S,
        steps: impl IntoIterator<Item = Augmentation>,
    ) -> Result<Self, DataError> {
        let shape = image_shape(&source)?;
        let steps: Vec<_> = steps.into_iter().collect();
        let mut augmented = shape;
        for step in &steps {
            augmented = step.check(augmented)?;
            if !matches!(step, Augmentation::Erasing { .. }) {
                no_place(
                    &source,
                    "a crop, a flip or a rotation moves the input alone",
                )?;
            }
        }
        Ok(Self {
            source,
            steps,
            shape,
            augmented,
        })
    }

    /// The source that is augmented.
    pub fn source(&self) -> &S {
        &self.source
    }

    fn images(&self, indices: &[usize], draw: Option<Draw>) -> Result<Examples, DataError> {
        let mut examples = fetched(&self.source, indices, draw.map(Draw::beneath))?;
        let steps = &self.steps;
        let mut values: Vec<f32> = Vec::new();
        for tensor in examples.inputs.drain(..) {
            let old = floats(tensor)?;
            values.reserve_exact(indices.len() * self.augmented.iter().product::<usize>());
            let images = old.chunks_exact(self.shape.iter().product());
            for (image, &index) in images.zip(indices) {
                let mut image = Image::new(image, self.shape);
                let mut random = draw.map(|draw| draw.random(index));
                for step in steps {
                    step.apply(&mut image, random.as_mut());
                }
                values.extend(image.values());
            }
        }
        let shape = [&[indices.len()], &self.augmented[..]].concat();
        examples.inputs = vec![TensorData::new(values, shape)];
        Ok(examples)
    }
}

impl<S: Source> Source for Augmented<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![self.augmented.to_vec()]
    }

    fn targets(&self) -> Vec<Target> {
        self.source.targets()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        self.images(indices, None)
    }

    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        self.images(indices, Some(draw))
    }

    fn mixes(&self) -> bool {
        self.source.mixes()
    }
}

/// `[channels, height, width]` of the only input of `source`.
pub(super) fn image_shape(source: &dyn Source) -> Result<[usize; 3], DataError> {
    let inputs = source.inputs();
    match inputs.as_slice() {
        [shape] if shape.len() == 3 && !shape.contains(&0) => Ok([shape[0], shape[1], shape[2]]),
        _ => {
            let expected = "one input of images [channels, height, width]";
            Err(DataError::argument(
                "source",
                expected,
                format!("{inputs:?}"),
            ))
        }
    }
}

/// Refuses targets that belong to places of the input: of two dimensions or more.
pub(super) fn no_place(source: &dyn Source, why: &str) -> Result<(), DataError> {
    let targets = source.targets();
    match targets.iter().find(|target| target.shape().len() > 1) {
        None => Ok(()),
        Some(target) => {
            let expected = format!("targets of one dimension at most, as {why}");
            Err(DataError::argument("source", expected, target))
        }
    }
}

impl Augmentation {
    /// The shape of the images that come of those of `shape`.
    fn check(&self, shape: [usize; 3]) -> Result<[usize; 3], DataError> {
        let [channels, height, width] = shape;
        match *self {
            Augmentation::Crop {
                size,
                padding,
                border,
            } => {
                border.check()?;
                let most = height.max(width);
                if padding > most {
                    let expected = format!("0 to {most}, as images are {height}×{width}");
                    return Err(DataError::argument("padding of a crop", expected, padding));
                }
                let padded = [height, width].map(|length| length + 2 * padding);
                let fits = |axis: usize| (1..=padded[axis]).contains(&size[axis]);
                if !fits(0) || !fits(1) {
                    let [most_high, most_wide] = padded;
                    let expected = format!(
                        "1×1 to {most_high}×{most_wide}, as images are {height}×{width} with a \
                         padding of {padding}"
                    );
                    let found = format!("{}×{}", size[0], size[1]);
                    return Err(DataError::argument("size of a crop", expected, found));
                }
                return Ok([channels, size[0], size[1]]);
            }
            Augmentation::HorizontalFlip { probability: p }
            | Augmentation::VerticalFlip { probability: p } => probability(p)?,
            Augmentation::Rotation { degrees, border } => {
                border.check()?;
                range("degrees of a rotation", degrees, f64::MIN, f64::MAX)?;
            }
            Augmentation::Erasing {
                probability: p,
                area,
                aspect,
                fill,
            } => {
                probability(p)?;
                range("area of erasing", area, f64::MIN_POSITIVE, 1.0)?;
                range("aspect of erasing", aspect, f64::MIN_POSITIVE, f64::MAX)?;
                let [low, high] = match fill {
                    Fill::Constant(value) => [value, value],
                    Fill::Uniform(range) => range,
                };
                let bounds = [low.into(), high.into()];
                range("fill of erasing", bounds, f32::MIN.into(), f32::MAX.into())?;
            }
        }
        Ok(shape)
    }

    /// Changes `image`; without random numbers, as little as leads to the same shape.
    fn apply(&self, image: &mut Image, random: Option<&mut SplitMix64>) {
        let Some(random) = random else {
            if let Augmentation::Crop {
                size,
                padding,
                border,
            } = *self
            {
                let [height, width] = image.size();
                let middle = |length, window| (length + 2 * padding - window) / 2;
                let corner = [middle(height, size[0]), middle(width, size[1])];
                image.crop(Window { corner, size }, padding, border);
            }
            return;
        };
        match *self {
            Augmentation::Crop {
                size,
                padding,
                border,
            } => {
                let [height, width] = image.size();
                let mut place = |length, window| upto(random, length + 2 * padding - window);
                let corner = [place(height, size[0]), place(width, size[1])];
                image.crop(Window { corner, size }, padding, border);
            }
            Augmentation::HorizontalFlip { probability } => {
                if random.unit() <= probability {
                    image.flip_horizontally();
                }
            }
            Augmentation::VerticalFlip { probability } => {
                if random.unit() <= probability {
                    image.flip_vertically();
                }
            }
            Augmentation::Rotation { degrees, border } => {
                image.rotate(between(random, degrees).to_radians(), border);
            }
            Augmentation::Erasing {
                probability,
                area,
                aspect,
                fill,
            } => {
                if random.unit() > probability {
                    return;
                }
                if let Some(window) = rectangle(random, image.size(), area, aspect) {
                    image.fill(window, || match fill {
                        Fill::Constant(value) => value,
                        Fill::Uniform([low, high]) => {
                            between(random, [low.into(), high.into()]) as f32
                        }
                    });
                }
            }
        }
    }
}

impl Border {
    fn check(self) -> Result<(), DataError> {
        match self {
            Border::Constant(value) if !value.is_finite() => {
                Err(DataError::argument("border", "a finite number", value))
            }
            Border::Constant(_) | Border::Reflect => Ok(()),
        }
    }
}

/// A rectangle to erase, if one of ten fits into the image.
fn rectangle(
    random: &mut SplitMix64,
    [height, width]: [usize; 2],
    area: [f64; 2],
    aspect: [f64; 2],
) -> Option<Window> {
    (0..10).find_map(|_| {
        let area = between(random, area) * (height * width) as f64;
        let aspect = between(random, aspect.map(f64::ln)).exp();
        let size = [(area * aspect).sqrt(), (area / aspect).sqrt()];
        // What is too large for the type is too large for the image.
        let size = size.map(|length| length.round() as usize);
        let fits = size[0] < height && size[1] < width;
        fits.then(|| Window {
            corner: [
                upto(random, height - size[0]),
                upto(random, width - size[1]),
            ],
            size,
        })
    })
}

/// Uniform in `0..=most`.
fn upto(random: &mut SplitMix64, most: usize) -> usize {
    random.below(most as u64 + 1) as usize
}

fn between(random: &mut SplitMix64, [low, high]: [f64; 2]) -> f64 {
    let share = random.unit();
    // Not `low + (high - low) * share`: the difference may be infinite.
    low * (1.0 - share) + high * share
}

pub(super) fn probability(probability: f64) -> Result<(), DataError> {
    if (0.0..=1.0).contains(&probability) {
        return Ok(());
    }
    Err(DataError::argument("probability", "0 to 1", probability))
}

fn range(name: &'static str, found: [f64; 2], least: f64, most: f64) -> Result<(), DataError> {
    let [low, high] = found;
    if least <= low && low <= high && high <= most {
        return Ok(());
    }
    let bounds = if most == 1.0 {
        ", above 0 and no more than 1"
    } else if least > 0.0 {
        ", above 0 and finite"
    } else {
        ", finite"
    };
    let expected = format!("the lower end and then the upper one{bounds}");
    Err(DataError::argument(name, expected, format!("{found:?}")))
}
