//! An IDX file that is larger than memory.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::idx::{Idx, LIMIT, idx_labels, matching};
use super::labels::Labels;
use super::levels::{self, Levels};
use super::place::read_exact_at;
use super::{DataError, Examples, Source, Target, TensorData};

/// Bytes that are read at a time where all are.
const PIECE: usize = 1 << 20;

/// Labelled images of an IDX file that stay on disk: only what a batch needs is read, at its place in
/// the file. The labels, four bytes for each, are in memory.
///
/// [`idx`](super::idx()) reads the same files into memory. An example costs a read of the system's, so
/// on a rotating disk, whose head has to move for each, a data set that fits into memory belongs there.
///
/// # Example
///
/// ```
/// use kiln::data::{IdxFile, Source, TensorData};
///
/// # let folder = std::env::temp_dir();
/// # let (images, labels) = (folder.join("kiln-doc-images"), folder.join("kiln-doc-labels"));
/// // Two images, 1 pixel high and 2 wide, of classes 1 and 0.
/// std::fs::write(&images, [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102]).unwrap();
/// std::fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 2, 1, 0]).unwrap();
///
/// let source = IdxFile::open(&images, &labels)?;
/// let batch = source.gather(&[1])?;
/// assert_eq!(batch.inputs[0], TensorData::from([[[[0.2f32, 0.4]]]]));
/// assert_eq!(batch.targets[0], TensorData::from([0]));
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Debug)]
pub struct IdxFile {
    path: PathBuf,
    file: File,
    /// Where the first image begins.
    start: u64,
    shape: [usize; 3],
    levels: Levels,
    labels: Labels,
}

impl IdxFile {
    /// Opens an IDX image file and reads its IDX label file. There are as many classes as the largest
    /// label implies: one more than it.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] if a file cannot be read, [`DataError::Format`] if it is damaged, if images
    /// and labels differ in number, or if the image file is gzipped, which can only be read from its
    /// beginning: unpack it. The label file may be gzipped.
    pub fn open(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Self, DataError> {
        let (path, labels) = (images.as_ref(), labels.as_ref());
        let mut idx = Idx::open(path)?;
        idx.expect_unpacked()?;
        let sizes = idx.image_sizes()?;
        let start = idx.offset();
        let [count, height, width] = sizes.map(|size| size as usize);
        if sizes[1..]
            .iter()
            .map(|&size| u64::from(size))
            .product::<u64>()
            > LIMIT
        {
            let claim = format!("{height}×{width}");
            return Err(idx.wrong(8, "images of 1 GiB at most", claim, "the header is damaged"));
        }
        let read = |source| DataError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(read)?;
        let found = file.metadata().map_err(read)?.len();
        let body = sizes.iter().map(|&size| u128::from(size)).product::<u128>();
        if u128::from(found) != u128::from(start) + body {
            let expected = format!("{body} bytes for {sizes:?} (images, height, width)");
            let found = format!("{} bytes", found.saturating_sub(start));
            let help = "the file is cut short, something was appended, or its header is damaged: \
                        download it again";
            return Err(idx.wrong(start, expected, found, help));
        }
        let bytes = idx_labels(labels)?;
        let classes = matching(&bytes, labels, count, path, None)?;
        let all = bytes.into_iter().map(usize::from);
        Ok(Self {
            path: path.to_owned(),
            file,
            start,
            shape: [1, height, width],
            levels: Levels::default(),
            labels: Labels::new(all, classes, count)?,
        })
    }

    /// Subtracts `mean` and divides by `std`, both in units of a pixel of 0 to 1: see
    /// [`moments`](Self::moments).
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `mean` is finite and `std` positive and finite.
    pub fn normalized(mut self, mean: f64, std: f64) -> Result<Self, DataError> {
        self.levels = self.levels.normalized(mean, std)?;
        Ok(self)
    }

    /// Mean and standard deviation over every pixel of every image, before
    /// [`normalized`](Self::normalized); reads the whole file.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] if it cannot be read.
    pub fn moments(&self) -> Result<(f64, f64), DataError> {
        let mut counts = [0; 256];
        let mut buffer = vec![0; PIECE];
        let end = self.start + self.len() as u64 * self.width() as u64;
        let mut offset = self.start;
        while offset < end {
            let piece = &mut buffer[..(end - offset).min(PIECE as u64) as usize];
            self.read(piece, offset)?;
            levels::count(&mut counts, piece);
            offset += piece.len() as u64;
        }
        Ok(self.levels.moments(&counts))
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.labels.classes()
    }

    /// The class of one image.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if there is no such image.
    pub fn label(&self, index: usize) -> Result<usize, DataError> {
        self.labels.get(index)
    }

    /// Bytes of an image.
    fn width(&self) -> usize {
        self.shape.iter().product()
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<(), DataError> {
        read_exact_at(&self.file, buffer, offset).map_err(|source| DataError::Read {
            path: self.path.clone(),
            source,
        })
    }
}

impl Source for IdxFile {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![self.shape.to_vec()]
    }

    fn targets(&self) -> Vec<Target> {
        vec![Target::Classes(self.classes(), Vec::new())]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let targets = vec![self.labels.gather(indices)?];
        let (table, width) = (self.levels.table(), self.width());
        let mut image = vec![0; width];
        let mut values = Vec::with_capacity(indices.len() * width);
        for &index in indices {
            self.read(&mut image, self.start + index as u64 * width as u64)?;
            values.extend(image.iter().map(|&pixel| table[usize::from(pixel)]));
        }
        let shape = [&[indices.len()], &self.shape[..]].concat();
        Ok(Examples {
            inputs: vec![TensorData::new(values, shape)],
            targets,
        })
    }
}
