//! A folder of images, one sub-folder for each class.

use std::fs;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, Limits, Luma};

use super::labels::Labels;
use super::levels::Levels;
use super::{DataError, Examples, Source, Target, TensorData};

/// The names that a file of an image ends with, in capitals too.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The most bytes that one image may take when it is decoded, such as 13,000×13,000 pixels.
const MOST: u64 = 512 << 20;

/// Images in a folder, of which each sub-folder is a class: `cats/1.png`, `cats/2.jpg`, `dogs/1.png`.
/// They stay on disk, and are decoded whenever a batch needs them.
///
/// Classes are numbered in the order of their names, and images within them in the order of theirs.
/// Files that do not end with `.png`, `.jpg` or `.jpeg`, and what begins with a dot, are passed over.
/// The feature `images` turns this on.
///
/// # Example
///
/// ```no_run
/// use kiln::data::{Augmentation, Augmented, Border, ImageFolder};
///
/// let train = ImageFolder::open("pets/train", [3, 64, 64])?.resized();
/// let test = ImageFolder::open("pets/test", [3, 64, 64])?.resized();
/// assert_eq!(train.class_names(), test.class_names());
/// let train = Augmented::new(train, [Augmentation::HorizontalFlip { probability: 0.5 }])?;
/// # let _ = train;
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    files: Vec<PathBuf>,
    labels: Labels,
    class_names: Vec<String>,
    shape: [usize; 3],
    resized: bool,
    levels: Levels,
}

impl ImageFolder {
    /// Lists the images of `folder`, which are to be `shape` = `[channels, height, width]`: of one
    /// channel, the luma of ITU-R 601 as Pillow has it, or of three, red, green and blue. What an image
    /// has beyond that, such as opacity, is left out; a grey one is grey in all three.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] if a folder cannot be read, [`DataError::Missing`] if there is no sub-folder
    /// or one without an image, [`DataError::Argument`] if `shape` has 0, or other than 1 or 3 channels,
    /// or a side above 65,535 pixels.
    pub fn open(folder: impl AsRef<Path>, shape: [usize; 3]) -> Result<Self, DataError> {
        let folder = folder.as_ref();
        let [channels, height, width] = shape;
        let sides = 1..=usize::from(u16::MAX);
        if !matches!(channels, 1 | 3) || !sides.contains(&height) || !sides.contains(&width) {
            let expected = "1 or 3 channels, then height and width of 1 to 65535 pixels";
            return Err(DataError::argument("shape", expected, format!("{shape:?}")));
        }
        let missing = |folder: &Path, what, tried: &[&str]| DataError::Missing {
            folder: folder.to_owned(),
            what,
            tried: tried.iter().copied().map(str::to_owned).collect(),
        };
        let classes = entries(folder, Path::is_dir)?;
        if classes.is_empty() {
            let tried = ["a folder for each class, with its images"];
            return Err(missing(folder, "sub-folder", &tried));
        }
        let (mut files, mut labels) = (Vec::new(), Vec::new());
        for (label, class) in classes.iter().enumerate() {
            let images = entries(class, is_image)?;
            if images.is_empty() {
                return Err(missing(class, "image", &["*.png", "*.jpg", "*.jpeg"]));
            }
            labels.resize(labels.len() + images.len(), label);
            files.extend(images);
        }
        let names = classes.iter().filter_map(|class| class.file_name());
        let class_names = names.map(|name| name.to_string_lossy().into_owned());
        Ok(Self {
            labels: Labels::new(labels, classes.len(), files.len())?,
            class_names: class_names.collect(),
            files,
            shape,
            resized: false,
            levels: Levels::default(),
        })
    }

    /// Stretches or shrinks images of another size to the shape, with a triangular filter, which
    /// averages over what a smaller pixel covers. Otherwise such an image is an error.
    #[must_use]
    pub fn resized(mut self) -> Self {
        self.resized = true;
        self
    }

    /// Numbers the classes as `names` do, such as those of the training folder in a test folder, which may
    /// lack some of them.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] if a sub-folder is none of `names`, or one of them is there twice.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use kiln::data::ImageFolder;
    ///
    /// let train = ImageFolder::open("pets/train", [3, 64, 64])?;
    /// let test = ImageFolder::open("pets/test", [3, 64, 64])?.classes(train.class_names())?;
    /// # let _ = test;
    /// # Ok::<(), kiln::data::DataError>(())
    /// ```
    pub fn classes<N: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, DataError> {
        let names: Vec<String> = names.into_iter().map(N::into).collect();
        if let Some(at) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
            return Err(DataError::argument(
                "classes",
                "each of them once",
                &names[at],
            ));
        }
        let numbers = self.class_names.iter().map(|class| {
            let number = names.iter().position(|name| name == class);
            number.ok_or_else(|| {
                let expected = format!("{class} among them, which is a sub-folder");
                DataError::argument("classes", expected, names.join(", "))
            })
        });
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        let files = 0..self.files.len();
        let labels = files.map(|index| Ok(numbers[self.labels.get(index)?]));
        let labels = labels.collect::<Result<Vec<_>, DataError>>()?;
        self.labels = Labels::new(labels, names.len(), self.files.len())?;
        self.class_names = names;
        Ok(self)
    }

    /// Subtracts `mean` and divides by `std`, both in units of a pixel of 0 to 1.
    /// [`Normalization`](super::Normalization) finds them, for each channel too.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `mean` is finite and `std` positive and finite.
    pub fn normalized(mut self, mean: f64, std: f64) -> Result<Self, DataError> {
        self.levels = self.levels.normalized(mean, std)?;
        Ok(self)
    }

    /// The names of the sub-folders; a class is a place in this list.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The files; an example is a place in this list.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The pixels of one image, channel by channel.
    fn decode(&self, path: &Path) -> Result<Vec<u8>, DataError> {
        let wrong = |source: Box<dyn std::error::Error + Send + Sync>| DataError::Decode {
            path: path.to_owned(),
            source,
        };
        let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
        let reader = reader.map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut decoder = reader.into_decoder().map_err(|error| wrong(error.into()))?;
        let [channels, height, width] = self.shape;
        let (wide, high) = decoder.dimensions();
        let fits = (high as usize, wide as usize) == (height, width);
        if !fits && !self.resized {
            let message = format!(
                "expected an image of {height}×{width} pixels, found {high}×{wide}; call `resized` to \
                 have every image brought to one size"
            );
            return Err(wrong(message.into()));
        }
        let mut limits = Limits::default();
        limits.max_alloc = MOST.checked_sub(decoder.total_bytes());
        if limits.max_alloc.is_none() {
            let most = MOST >> 20;
            let message =
                format!("{high}×{wide} pixels are more than {most} MiB; shrink the image");
            return Err(wrong(message.into()));
        }
        let decoded = decoder.set_limits(limits);
        decoded.map_err(|error| wrong(error.into()))?;
        let image = DynamicImage::from_decoder(decoder).map_err(|error| wrong(error.into()))?;
        // Grey before it is resized, and with no opacity, which would weigh the pixels.
        let colours = image.into_rgb8();
        let image = match channels {
            1 => DynamicImage::from(GrayImage::from_fn(wide, high, |x, y| {
                // Of ITU-R 601, in 65,536ths: the crate's own grey is that of ITU-R 709.
                let [red, green, blue] = colours.get_pixel(x, y).0.map(u32::from);
                Luma([((19_595 * red + 38_470 * green + 7_471 * blue + 32_768) >> 16) as u8])
            })),
            _ => DynamicImage::from(colours),
        };
        // No truncation: a side is at most 65,535.
        let image = match fits {
            true => image,
            false => image.resize_exact(width as u32, height as u32, FilterType::Triangle),
        };
        let pixels = image.into_bytes();
        let channel = |channel| pixels.iter().skip(channel).step_by(channels).copied();
        Ok((0..channels).flat_map(channel).collect())
    }
}

/// What is in `folder` and `wanted`, in the order of the names.
fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, DataError> {
    let read = |source| DataError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && wanted(&entry.path()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|found| {
        ENDINGS
            .iter()
            .any(|ending| found.eq_ignore_ascii_case(ending))
    })
}

impl Source for ImageFolder {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![self.shape.to_vec()]
    }

    fn targets(&self) -> Vec<Target> {
        vec![Target::Classes(self.class_names.len(), Vec::new())]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let targets = vec![self.labels.gather(indices)?];
        let table = self.levels.table();
        let mut values = Vec::new();
        for &index in indices {
            let pixels = self.decode(&self.files[index])?;
            values.extend(pixels.into_iter().map(|pixel| table[usize::from(pixel)]));
        }
        let shape = [&[indices.len()], &self.shape[..]].concat();
        Ok(Examples {
            inputs: vec![TensorData::new(values, shape)],
            targets,
        })
    }
}
