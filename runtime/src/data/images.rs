//! Labelled 8-bit images.

use super::{DataError, Examples, Pixels, Source, Target, labels::Labels};

/// Images with one class label each.
///
/// # Example
///
/// ```
/// use kiln::data::{Images, Pixels, Source, Target, TensorData};
///
/// // Two images of one channel, 1 pixel high and 2 wide, of classes 1 and 0.
/// let pixels = Pixels::new(vec![0, 255, 51, 102], [1, 1, 2])?;
/// let images = Images::new(pixels, vec![1, 0], 2)?;
/// assert_eq!(images.targets(), [Target::Classes(2, vec![])]);
///
/// let batch = images.gather(&[1, 0])?;
/// assert_eq!(batch.inputs[0], TensorData::from([[[[0.2f32, 0.4]]], [[[0.0, 1.0]]]]));
/// assert_eq!(batch.targets[0], TensorData::from([0, 1]));
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Images {
    pixels: Pixels,
    labels: Labels,
}

impl Images {
    /// Labels `pixels`; every label is below `classes`.
    ///
    /// # Errors
    ///
    /// [`DataError::Label`] if a label is not below `classes`, [`DataError::Count`] if there are
    /// not as many labels as images, [`DataError::Argument`] if `classes` is 0 or does not fit an
    /// `i32`.
    pub fn new(pixels: Pixels, labels: Vec<usize>, classes: usize) -> Result<Self, DataError> {
        let labels = Labels::new(labels, classes, pixels.len())?;
        Ok(Self { pixels, labels })
    }

    /// Subtracts `mean` and divides by `std`: see [`Pixels::normalized`].
    ///
    /// Test images take the moments of the training images:
    ///
    /// ```no_run
    /// let (train, test) = kiln::data::mnist("data/mnist")?;
    /// let (mean, std) = train.moments();
    /// let (train, test) = (train.normalized(mean, std)?, test.normalized(mean, std)?);
    /// # Ok::<(), kiln::data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `mean` is finite and `std` positive and finite.
    pub fn normalized(self, mean: f64, std: f64) -> Result<Self, DataError> {
        Ok(Self {
            pixels: self.pixels.normalized(mean, std)?,
            labels: self.labels,
        })
    }

    /// Mean and standard deviation of the scaled pixels: see [`Pixels::moments`].
    pub fn moments(&self) -> (f64, f64) {
        self.pixels.moments()
    }

    /// `[channels, height, width]` of one image.
    pub fn shape(&self) -> [usize; 3] {
        self.pixels.shape()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.labels.classes()
    }

    /// The bytes of one image.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if there is no such image.
    pub fn pixels(&self, index: usize) -> Result<&[u8], DataError> {
        self.pixels.get(index)
    }

    /// The class of one image.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if there is no such image.
    pub fn label(&self, index: usize) -> Result<usize, DataError> {
        self.labels.get(index)
    }

    /// Draws one image in characters: see [`Pixels::ascii`].
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if there is no such image.
    pub fn ascii(&self, index: usize) -> Result<String, DataError> {
        self.pixels.ascii(index)
    }
}

impl Source for Images {
    fn len(&self) -> usize {
        self.pixels.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![self.shape().to_vec()]
    }

    fn targets(&self) -> Vec<Target> {
        vec![Target::Classes(self.classes(), Vec::new())]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        Ok(Examples {
            inputs: vec![self.pixels.gather(indices)?],
            targets: vec![self.labels.gather(indices)?],
        })
    }
}
