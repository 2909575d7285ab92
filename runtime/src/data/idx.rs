//! The IDX format, in which MNIST and its kin are published.
//!
//! A big-endian header and then bytes: magic 0x00000803, images, height, width, pixels; or magic
//! 0x00000801, labels, labels. A file may be gzipped, whatever its name.

use std::{
    fs::{self, File},
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::{DataError, Images, Pixels};

/// The most that a file may hold. A header can claim 2⁹⁶ bytes and a gzip file of 1 MB can hold
/// 1 GB; MNIST has 47 MB of pixels, EMNIST, the largest of its kin, 547 MB.
pub(super) const LIMIT: u64 = 1 << 30;

/// Reads the training and the test images of MNIST, or of a data set in its likeness
/// (Fashion-MNIST, KMNIST): images of one channel, 10 classes.
///
/// The four files are looked for in `folder` under the names of their publication:
/// `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, gzipped with `.gz` or not; some mirrors write `.idx3-ubyte`.
///
/// # Errors
///
/// [`DataError::Missing`] if a file is not there, [`DataError::Read`] if it cannot be read,
/// [`DataError::Format`] if it is damaged, if images and labels differ in number, or if a label
/// is above 9.
///
/// # Example
///
/// ```no_run
/// let (train, test) = kiln::data::mnist("data/mnist")?;
/// println!("{}", test.ascii(0)?);
/// # Ok::<(), kiln::data::DataError>(())
/// ```
pub fn mnist(folder: impl AsRef<Path>) -> Result<(Images, Images), DataError> {
    let folder = folder.as_ref();
    let part = |part| -> Result<(Images, PathBuf), DataError> {
        let images = find(folder, part, "images", "idx3-ubyte")?;
        let labels = find(folder, part, "labels", "idx1-ubyte")?;
        Ok((pair(&images, &labels, Some(10))?, images))
    };
    let ((train, _), (test, path)) = (part("train")?, part("t10k")?);
    if test.shape() != train.shape() {
        let size = |images: &Images| {
            let [_, height, width] = images.shape();
            format!("images of {height}×{width} pixels")
        };
        return Err(DataError::Format {
            path,
            offset: 8,
            expected: size(&train) + ", like the training images",
            found: size(&test),
            help: "the files belong to different data sets",
        });
    }
    Ok((train, test))
}

/// Reads labelled images from an IDX image file and an IDX label file. There are as many classes
/// as the largest label implies: one more than it.
///
/// # Errors
///
/// [`DataError::Read`] if a file cannot be read, [`DataError::Format`] if it is damaged or if
/// images and labels differ in number.
///
/// # Example
///
/// ```no_run
/// let train = kiln::data::idx("emnist-images.gz", "emnist-labels.gz")?;
/// # Ok::<(), kiln::data::DataError>(())
/// ```
pub fn idx(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Images, DataError> {
    pair(images.as_ref(), labels.as_ref(), None)
}

/// Reads the images of an IDX file: `[1, height, width]` each, without labels.
///
/// # Errors
///
/// [`DataError::Read`] if the file cannot be read, [`DataError::Format`] if it is damaged.
///
/// # Example
///
/// ```no_run
/// let images = kiln::data::idx_images("t10k-images-idx3-ubyte.gz")?;
/// let batch = images.gather(&[0, 1, 2])?;
/// # Ok::<(), kiln::data::DataError>(())
/// ```
pub fn idx_images(path: impl AsRef<Path>) -> Result<Pixels, DataError> {
    let mut file = Idx::open(path.as_ref())?;
    let sizes = file.image_sizes()?;
    let bytes = file.body(&sizes, "images, height, width")?;
    let [_, height, width] = sizes;
    // No truncation: the body was read, so each fits in memory.
    Pixels::new(bytes, [1, height as usize, width as usize])
}

/// Reads the labels of an IDX file.
///
/// # Errors
///
/// [`DataError::Read`] if the file cannot be read, [`DataError::Format`] if it is damaged.
///
/// # Example
///
/// ```no_run
/// let labels: Vec<u8> = kiln::data::idx_labels("t10k-labels-idx1-ubyte.gz")?;
/// # Ok::<(), kiln::data::DataError>(())
/// ```
pub fn idx_labels(path: impl AsRef<Path>) -> Result<Vec<u8>, DataError> {
    let mut file = Idx::open(path.as_ref())?;
    file.magic(0x0801, "labels of unsigned bytes")?;
    let count = file.size("the number of labels")?;
    file.body(&[count], "labels")
}

fn find(folder: &Path, part: &str, what: &'static str, kind: &str) -> Result<PathBuf, DataError> {
    fs::metadata(folder).map_err(|source| DataError::Read {
        path: folder.to_owned(),
        source,
    })?;
    let name = |separator, end| format!("{part}-{what}{separator}{kind}{end}");
    let tried = [("-", ".gz"), ("-", ""), (".", ".gz"), (".", "")].map(|(s, e)| name(s, e));
    match tried.iter().find(|name| folder.join(name).is_file()) {
        Some(name) => Ok(folder.join(name)),
        None => Err(DataError::Missing {
            folder: folder.to_owned(),
            what,
            tried: tried.to_vec(),
        }),
    }
}

fn pair(images: &Path, labels: &Path, classes: Option<usize>) -> Result<Images, DataError> {
    let pixels = idx_images(images)?;
    let bytes = idx_labels(labels)?;
    let classes = matching(&bytes, labels, pixels.len(), images, classes)?;
    let bytes = bytes.into_iter().map(usize::from);
    Images::new(pixels, bytes.collect(), classes)
}

/// The number of classes that `labels`, of the file `path`, have, if there is one for each of `count`
/// `images` and all are below `classes`, where that is said.
pub(super) fn matching(
    labels: &[u8],
    path: &Path,
    count: usize,
    images: &Path,
    classes: Option<usize>,
) -> Result<usize, DataError> {
    let wrong = |offset, expected, found, help| DataError::Format {
        path: path.to_owned(),
        offset,
        expected,
        found,
        help,
    };
    if labels.len() != count {
        let expected = format!("{count} labels, one per image of {}", images.display());
        let found = format!("{} labels", labels.len());
        let help = "the two files do not belong together";
        return Err(wrong(4, expected, found, help));
    }
    let largest = labels.iter().copied().max().unwrap_or(0);
    let classes = classes.unwrap_or(usize::from(largest) + 1);
    if let Some(bad) = labels
        .iter()
        .position(|&label| usize::from(label) >= classes)
    {
        let expected = format!("a label below {classes}");
        let found = format!("label {}", labels[bad]);
        let help = "use `idx`, which takes as many classes as there are, or mend the file";
        return Err(wrong(8 + bad as u64, expected, found, help));
    }
    Ok(classes)
}

/// A file that is being read, unpacked if need be.
pub(super) struct Idx<'a> {
    path: &'a Path,
    content: Box<dyn Read>,
    gzipped: bool,
    offset: u64,
}

impl<'a> Idx<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let start = || -> io::Result<_> {
            let mut file = File::open(path)?;
            let mut magic = Vec::new();
            (&mut file).take(2).read_to_end(&mut magic)?;
            Ok((magic, file))
        };
        let (magic, file) = start().map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })?;
        let gzipped = magic == [0x1f, 0x8b];
        let file = Cursor::new(magic).chain(file);
        Ok(Self {
            path,
            content: if gzipped {
                Box::new(MultiGzDecoder::new(file))
            } else {
                Box::new(file)
            },
            gzipped,
            offset: 0,
        })
    }

    /// Fails if it is gzipped: then no place of it can be read without all before it.
    pub(super) fn expect_unpacked(&self) -> Result<(), DataError> {
        if !self.gzipped {
            return Ok(());
        }
        let help = "unpack it, as by `gunzip --keep`, or read it into memory with `idx`";
        Err(self.wrong(0, "a file that is not packed", "gzip data", help))
    }

    /// Where it is read on.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The header of an image file: images, height, width.
    pub(super) fn image_sizes(&mut self) -> Result<[u32; 3], DataError> {
        self.magic(0x0803, "images of unsigned bytes")?;
        Ok([
            self.size("the number of images")?,
            self.size("the height of an image")?,
            self.size("the width of an image")?,
        ])
    }

    /// The next `most` bytes, or all that are left. Memory grows with what is there, not with
    /// what was asked for.
    fn read(&mut self, most: u64) -> Result<Vec<u8>, DataError> {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};

        let mut bytes = Vec::new();
        let outcome = (&mut self.content).take(most).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        match outcome {
            Ok(_) => Ok(bytes),
            Err(error)
                if self.gzipped
                    && matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) =>
            {
                let help = "the file is damaged or cut short: download it again";
                Err(self.wrong(self.offset, "intact gzip data", error.to_string(), help))
            }
            Err(source) => Err(DataError::Read {
                path: self.path.to_owned(),
                source,
            }),
        }
    }

    fn number(&mut self, what: &str) -> Result<u32, DataError> {
        match *self.read(4)? {
            [a, b, c, d] => Ok(u32::from_be_bytes([a, b, c, d])),
            _ => {
                let expected = format!("4 bytes with {what}");
                let help = "the file is cut short: download it again";
                Err(self.wrong(self.offset, expected, "the end of the file", help))
            }
        }
    }

    fn magic(&mut self, magic: u32, what: &str) -> Result<(), DataError> {
        let found = self.number("the magic number")?;
        if found == magic {
            return Ok(());
        }
        let help = match found {
            0x0801 => "this is a label file: give the image file",
            0x0803 => "this is an image file: give the label file",
            _ => "give an IDX file as MNIST publishes it, gzipped or not",
        };
        let expected = format!("magic number {magic:#010x} ({what})");
        Err(self.wrong(0, expected, format!("{found:#010x}"), help))
    }

    fn size(&mut self, what: &str) -> Result<u32, DataError> {
        match self.number(what)? {
            0 => {
                let help = "the file is empty or its header is damaged";
                Err(self.wrong(self.offset - 4, format!("{what}, 1 or more"), "0", help))
            }
            size => Ok(size),
        }
    }

    /// All that follows the header: the product of `sizes`, in bytes.
    fn body(&mut self, sizes: &[u32], what: &str) -> Result<Vec<u8>, DataError> {
        let total = sizes
            .iter()
            .try_fold(1u64, |total, &size| total.checked_mul(u64::from(size)))
            .filter(|&total| total <= LIMIT);
        let claim = format!("{sizes:?} ({what})");
        let Some(total) = total else {
            let help = "the header is damaged, or the file too large: `IdxFile` leaves it on disk";
            return Err(self.wrong(4, "1 GiB at most", claim, help));
        };
        let mut bytes = self.read(total)?;
        if (bytes.len() as u64) < total {
            let expected = format!("{total} bytes for {claim}");
            let found = format!("the end of the file after {}", bytes.len());
            let help = "the file is cut short or its header is damaged: download it again";
            return Err(self.wrong(self.offset, expected, found, help));
        }
        // Reading on is also what makes gzip compare its checksum.
        let end = self.offset;
        if !self.read(1)?.is_empty() {
            let expected = format!("the end of the file after {claim}");
            let help = "the header is damaged or something was appended: download it again";
            return Err(self.wrong(end, expected, "more bytes", help));
        }
        bytes.shrink_to_fit();
        Ok(bytes)
    }

    pub(super) fn wrong(
        &self,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: &'static str,
    ) -> DataError {
        DataError::Format {
            path: self.path.to_owned(),
            offset,
            expected: expected.into(),
            found: found.into(),
            help,
        }
    }
}
