//! Rows of one shape in one flat vector: pixels, features, targets and labels alike.

use std::fmt;

use burn::tensor::Element;

use super::{DataError, TensorData};

/// `len` rows of `shape`, one after another.
#[derive(Clone)]
pub(super) struct Rows<T> {
    values: Vec<T>,
    shape: Vec<usize>,
    width: usize,
}

impl<T: Copy> Rows<T> {
    /// Cuts `values` into rows of `shape`; `[]` is one value a row.
    pub(super) fn new(
        what: &'static str,
        values: Vec<T>,
        shape: &[usize],
    ) -> Result<Self, DataError> {
        let width = shape
            .iter()
            .try_fold(1usize, |width, &n| width.checked_mul(n))
            .filter(|&width| width > 0)
            .ok_or_else(|| DataError::Shape {
                shape: shape.to_vec(),
            })?;
        let len = values.len() / width;
        if len * width != values.len() {
            return Err(DataError::Count {
                what,
                expected: len * width,
                found: values.len(),
                help: "the number must be a multiple of one example's size",
            });
        }
        Ok(Self {
            values,
            shape: shape.to_vec(),
            width,
        })
    }

    /// Fails unless there are as many rows as there are `examples`.
    pub(super) fn expect_len(self, what: &'static str, examples: usize) -> Result<Self, DataError> {
        if self.len() == examples {
            return Ok(self);
        }
        Err(DataError::Count {
            what,
            expected: examples,
            found: self.len(),
            help: "every example needs exactly one",
        })
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() / self.width
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    pub(super) fn get(&self, index: usize) -> Result<&[T], DataError> {
        self.check(&[index])?;
        Ok(&self.values[index * self.width..][..self.width])
    }

    /// The rows at `indices`, each value through `map`: `[indices.len(), ..shape]`.
    pub(super) fn gather<E: Element>(
        &self,
        indices: &[usize],
        map: impl Fn(T) -> E,
    ) -> Result<TensorData, DataError> {
        // Before anything is allocated: an index that exists bounds the width by real memory.
        self.check(indices)?;
        let mut values = Vec::with_capacity(indices.len() * self.width);
        for &index in indices {
            let row = &self.values[index * self.width..][..self.width];
            values.extend(row.iter().map(|&value| map(value)));
        }
        let mut shape = vec![indices.len()];
        shape.extend(&self.shape);
        Ok(TensorData::new(values, shape))
    }

    fn check(&self, indices: &[usize]) -> Result<(), DataError> {
        let len = self.len();
        match indices.iter().find(|&&index| index >= len) {
            Some(&index) => Err(DataError::Index { index, len }),
            None => Ok(()),
        }
    }
}

/// The size, not the values: nobody wants 47 million pixels in a panic message.
impl<T: Copy> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {:?}", self.len(), self.shape)
    }
}
