//! What a data set is to the trainer: examples by index.

use std::sync::Arc;

use super::{DataError, Subset, TensorData, split};

/// One batch in host memory. The leading dimension of every tensor is the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// One tensor per input of the network: `[batch, ..]`.
    pub inputs: Vec<TensorData>,
    /// One tensor per target: `[batch]` of `i32` for classes, `[batch, ..]` of `f32` for values.
    pub targets: Vec<TensorData>,
}

/// What the target of one example is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A class index below this number.
    Classes(usize),
    /// A tensor of this shape, the batch dimension left out. Empty for one number per example.
    Values(Vec<usize>),
}

/// A data set: examples that are reached by their index.
///
/// Inputs are `f32`. Class targets are `i32`, the integer type that flex and wgpu compute with
/// (Burn converts where a device prefers another). A source is shared by the loader's threads,
/// so [`gather`](Self::gather) takes `&self`.
///
/// # Example
///
/// A source that computes its examples:
///
/// ```
/// use kiln::data::{DataError, Examples, Source, Target, TensorData};
///
/// /// y = x² on 0, 1, .., 99.
/// struct Squares;
///
/// impl Source for Squares {
///     fn len(&self) -> usize {
///         100
///     }
///     fn inputs(&self) -> Vec<Vec<usize>> {
///         vec![vec![1]]
///     }
///     fn target(&self) -> Target {
///         Target::Values(vec![1])
///     }
///     fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
///         if let Some(&index) = indices.iter().find(|&&i| i >= self.len()) {
///             return Err(DataError::Index { index, len: self.len() });
///         }
///         let x: Vec<f32> = indices.iter().map(|&i| i as f32).collect();
///         let y: Vec<f32> = x.iter().map(|x| x * x).collect();
///         Ok(Examples {
///             inputs: vec![TensorData::new(x, [indices.len(), 1])],
///             targets: vec![TensorData::new(y, [indices.len(), 1])],
///         })
///     }
/// }
///
/// let batch = Squares.gather(&[3, 1])?;
/// assert_eq!(batch.targets[0], TensorData::from([[9.0f32], [1.0]]));
/// # Ok::<(), DataError>(())
/// ```
pub trait Source: Send + Sync {
    /// How many examples there are.
    fn len(&self) -> usize;

    /// Whether there are no examples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of each input of one example, the batch dimension left out.
    fn inputs(&self) -> Vec<Vec<usize>>;

    /// What the target of one example is.
    fn target(&self) -> Target;

    /// The examples at `indices`, in that order. An index may occur more than once.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if an index is not below [`len`](Self::len). A source of a user's own
    /// reports its other failures as [`DataError::Source`].
    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError>;

    /// Splits the examples in two: see [`split`].
    ///
    /// # Errors
    ///
    /// Those of [`split`].
    fn split(self, fraction: f64, seed: u64) -> Result<(Subset<Self>, Subset<Self>), DataError>
    where
        Self: Sized,
    {
        split(self, fraction, seed)
    }
}

/// The examples at `indices`, held to what the source says of itself: a source is a user's code,
/// and a shape or a label that is off would be a panic deep in a kernel.
pub(crate) fn checked(source: &dyn Source, indices: &[usize]) -> Result<Examples, DataError> {
    let examples = source.gather(indices)?;
    let batched = |shape: Vec<usize>| [vec![indices.len()], shape].concat();
    let same = |expected: Vec<Vec<usize>>, tensors: &[TensorData]| {
        let found: Vec<_> = tensors
            .iter()
            .map(|tensor| tensor.shape().to_vec())
            .collect();
        if found == expected {
            Ok(())
        } else {
            Err(DataError::Shapes { expected, found })
        }
    };
    same(
        source.inputs().into_iter().map(batched).collect(),
        &examples.inputs,
    )?;
    match source.target() {
        Target::Values(shape) => same(vec![batched(shape)], &examples.targets)?,
        Target::Classes(classes) => {
            same(vec![batched(Vec::new())], &examples.targets)?;
            for (label, &index) in examples.targets[0].iter::<i64>().zip(indices) {
                match usize::try_from(label) {
                    Ok(label) if label < classes => {}
                    // What is negative is shown as what it wraps to: there is no such label.
                    _ => {
                        return Err(DataError::Label {
                            index,
                            label: label as usize,
                            classes,
                        });
                    }
                }
            }
        }
    }
    Ok(examples)
}

/// A pointer to a source is a source.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<S: Source + ?Sized> Source for $pointer {
            fn len(&self) -> usize {
                (**self).len()
            }
            fn inputs(&self) -> Vec<Vec<usize>> {
                (**self).inputs()
            }
            fn target(&self) -> Target {
                (**self).target()
            }
            fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
                (**self).gather(indices)
            }
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);
