//! 8-bit images of one size, and the affine map that makes numbers of them.

use super::levels::{self, Levels};
use super::{DataError, TensorData, ascii, rows::Rows};

/// Images without labels: one byte per pixel in memory, `f32` only in a batch.
///
/// A pixel p becomes (p · scale − mean) / std. At first scale = 1/255, mean = 0 and std = 1,
/// which gives 0..=1.
///
/// # Example
///
/// ```
/// use kiln::data::{Pixels, TensorData};
///
/// // Two images of one channel, 1 pixel high and 2 wide.
/// let pixels = Pixels::new(vec![0, 255, 51, 102], [1, 1, 2])?;
/// assert_eq!(pixels.gather(&[1])?, TensorData::from([[[[0.2f32, 0.4]]]]));
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pixels {
    rows: Rows<u8>,
    shape: [usize; 3],
    levels: Levels,
}

impl Pixels {
    /// Images of `shape` = `[channels, height, width]`, one after another, row by row.
    ///
    /// # Errors
    ///
    /// [`DataError::Shape`] if a dimension is 0, [`DataError::Count`] if the bytes are not a
    /// whole number of images.
    pub fn new(bytes: Vec<u8>, shape: [usize; 3]) -> Result<Self, DataError> {
        Ok(Self {
            rows: Rows::new("pixels", bytes, &shape)?,
            shape,
            levels: Levels::default(),
        })
    }

    /// Sets what a pixel is multiplied by before anything else, for data that does not use all
    /// of 0..=255.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `scale` is positive and finite.
    pub fn scale(mut self, scale: f64) -> Result<Self, DataError> {
        self.levels = self.levels.scaled(scale)?;
        Ok(self)
    }

    /// Subtracts `mean` and divides by `std`, both in units of the scaled pixel. With the
    /// [`moments`](Self::moments) of the training images, those get mean 0 and variance 1.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `mean` is finite and `std` positive and finite.
    pub fn normalized(mut self, mean: f64, std: f64) -> Result<Self, DataError> {
        self.levels = self.levels.normalized(mean, std)?;
        Ok(self)
    }

    /// Mean and standard deviation over every scaled pixel of every image, before
    /// [`normalized`](Self::normalized). (0, 0) if there are no images.
    pub fn moments(&self) -> (f64, f64) {
        let mut counts = [0; 256];
        levels::count(&mut counts, self.rows.values());
        self.levels.moments(&counts)
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `[channels, height, width]` of one image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The bytes of one image.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if there is no such image.
    pub fn get(&self, index: usize) -> Result<&[u8], DataError> {
        self.rows.get(index)
    }

    /// The images at `indices` as numbers: `[indices.len(), channels, height, width]` of `f32`.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if an index is not below [`len`](Self::len).
    pub fn gather(&self, indices: &[usize]) -> Result<TensorData, DataError> {
        let table = self.levels.table();
        self.rows.gather(indices, |pixel| table[usize::from(pixel)])
    }

    /// Draws one image in characters, for a terminal with a dark background: 28×28 pixels become
    /// 14 lines of 28 columns. Channels are averaged, images wider than 56 pixels are reduced,
    /// and those of at most 16 are drawn with two columns per pixel.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if there is no such image.
    pub fn ascii(&self, index: usize) -> Result<String, DataError> {
        Ok(ascii::draw(
            self.get(index)?,
            self.shape,
            self.levels.scale(),
        ))
    }
}
