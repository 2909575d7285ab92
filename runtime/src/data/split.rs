//! Part of a data set, and the split into a part to train on and a part to test on.

use std::sync::Arc;

use super::{DataError, Draw, Examples, Source, Target, shuffle::SplitMix64};

/// Some examples of another source, in an order of their own.
#[derive(Clone, Debug)]
pub struct Subset<S> {
    source: Arc<S>,
    indices: Vec<usize>,
}

impl<S: Source> Subset<S> {
    /// The examples of `source` at `indices`. Where the source [mixes](Source::mixes), they are still
    /// mixed with any of the whole: to keep examples out of a training, take the part first and mix it.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if an index is not below the source's length.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use kiln::data::{Source, Subset, digits};
    ///
    /// let digits = Arc::new(digits()?);
    /// let first = Subset::new(digits.clone(), (0..100).collect())?;
    /// assert_eq!(first.gather(&[7])?, digits.gather(&[7])?);
    /// # Ok::<(), kiln::data::DataError>(())
    /// ```
    pub fn new(source: Arc<S>, indices: Vec<usize>) -> Result<Self, DataError> {
        let len = source.len();
        match indices.iter().find(|&&index| index >= len) {
            Some(&index) => Err(DataError::Index { index, len }),
            None => Ok(Self { source, indices }),
        }
    }

    /// The source that the examples come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Where the examples are in the source.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    fn inner(&self, indices: &[usize]) -> Result<Vec<usize>, DataError> {
        let len = self.len();
        let inner = indices.iter().map(|&index| {
            let inner = self.indices.get(index).copied();
            inner.ok_or(DataError::Index { index, len })
        });
        inner.collect()
    }
}

impl<S: Source> Source for Subset<S> {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        self.source.inputs()
    }

    fn targets(&self) -> Vec<Target> {
        self.source.targets()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        self.source.gather(&self.inner(indices)?)
    }

    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        self.source.draw(&self.inner(indices)?, draw)
    }

    fn mixes(&self) -> bool {
        self.source.mixes()
    }
}

/// Splits `source` by chance: round(`fraction` · len) examples in the first part, all others in
/// the second.
///
/// The same seed gives the same split. Both parts are in shuffled order, so the first examples
/// of a part are a random sample even if the source is sorted by class.
///
/// # Errors
///
/// [`DataError::Argument`] unless `fraction` is between 0 and 1 and leaves examples for both
/// parts, and `source` does not [mix](Source::mixes) its examples: what is trained on would hold
/// something of what it is tested on.
///
/// # Example
///
/// ```
/// use kiln::data::{Source, digits};
///
/// let (train, test) = digits()?.split(0.8, 42)?;
/// assert_eq!((train.len(), test.len()), (1438, 359));
/// # Ok::<(), kiln::data::DataError>(())
/// ```
pub fn split<S: Source>(
    source: S,
    fraction: f64,
    seed: u64,
) -> Result<(Subset<S>, Subset<S>), DataError> {
    if source.mixes() {
        let expected =
            "examples that are not mixed yet; split first, then mix the part to train on";
        return Err(DataError::argument("source", expected, "mixed ones"));
    }
    let len = source.len();
    // A fraction that is NaN or out of range saturates to 0 or beyond `len`.
    let first = (fraction * len as f64).round() as usize;
    if first == 0 || first >= len {
        let expected = format!("between 0 and 1, with some of the {len} examples in both parts");
        return Err(DataError::argument("fraction", expected, fraction));
    }
    let mut indices = SplitMix64::new(seed).permutation(len);
    let rest = indices.split_off(first);
    let source = Arc::new(source);
    Ok((
        Subset::new(source.clone(), indices)?,
        Subset::new(source, rest)?,
    ))
}
