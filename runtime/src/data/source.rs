//! What a data set is to the trainer: examples by index.

use std::fmt;
use std::sync::Arc;

use super::{DataError, Draw, Subset, TensorData, split};
use crate::model::Size;

/// One batch in host memory. The leading dimension of every tensor is the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples {
    /// One tensor per input of the network: `[batch, ..]`.
    pub inputs: Vec<TensorData>,
    /// One tensor per target: `[batch, ..]`, of `i32` for classes, of `f32` for values.
    pub targets: Vec<TensorData>,
}

/// What a target of one example is. Its sizes are numbers where a data set holds it; a model may take
/// any [`Size`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<S = usize> {
    /// A class index below this number at each place of this shape, the batch dimension left out.
    /// Empty for one class per example.
    Classes(usize, Vec<S>),
    /// Class indices from 1 on that are to be spelled, as [`ctc`](crate::loss::ctc) has them: a
    /// tensor `[longest]`, filled up with 0.
    Sequence {
        /// What the indices are below.
        classes: usize,
        /// How many there may be.
        longest: S,
    },
    /// A tensor of this shape, the batch dimension left out. Empty for one number per example.
    Values(Vec<S>),
}

impl Target {
    /// The shape of its tensor, the batch dimension left out.
    pub(super) fn shape(&self) -> Vec<usize> {
        match self {
            Target::Classes(_, shape) | Target::Values(shape) => shape.clone(),
            Target::Sequence { longest, .. } => vec![*longest],
        }
    }

    /// The number of classes, where it is one class per example.
    pub(super) fn classes(&self) -> Option<usize> {
        match self {
            Target::Classes(classes, places) if places.is_empty() => Some(*classes),
            _ => None,
        }
    }

    /// How many of its classes can be right or wrong in one example.
    pub(crate) fn decisions(&self) -> usize {
        match self {
            Target::Classes(_, places) => places.iter().product(),
            Target::Sequence { .. } | Target::Values(_) => 0,
        }
    }
}

impl Target<Size> {
    /// The same, with its sizes replaced.
    pub(crate) fn sized(self, size: impl Fn(Size) -> Size) -> Self {
        let all = |shape: Vec<Size>| shape.into_iter().map(&size).collect();
        match self {
            Target::Classes(classes, places) => Target::Classes(classes, all(places)),
            Target::Sequence { classes, longest } => {
                let longest = size(longest);
                Target::Sequence { classes, longest }
            }
            Target::Values(shape) => Target::Values(all(shape)),
        }
    }

    /// Whether a model that compares with this can be given `found`.
    pub(crate) fn takes(&self, found: &Target) -> bool {
        let same = |shape: &[Size], found: &[usize]| {
            shape.len() == found.len() && shape.iter().zip(found).all(|(a, b)| a.takes(*b))
        };
        match (self, found) {
            (Target::Classes(most, places), Target::Classes(classes, found)) => {
                classes <= most && same(places, found)
            }
            (
                Target::Sequence {
                    classes: most,
                    longest,
                },
                Target::Sequence {
                    classes,
                    longest: found,
                },
            ) => classes <= most && longest.fixed().is_none_or(|longest| *found <= longest),
            (Target::Values(shape), Target::Values(found)) => same(shape, found),
            _ => false,
        }
    }
}

impl<S: fmt::Display> fmt::Display for Target<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |shape: &[S]| {
            let sizes: Vec<_> = shape.iter().map(S::to_string).collect();
            format!("[{}]", sizes.join(", "))
        };
        match self {
            Target::Classes(classes, places) if places.is_empty() => {
                write!(f, "one of {classes} classes")
            }
            Target::Classes(classes, places) => {
                write!(
                    f,
                    "one of {classes} classes at each place of {}",
                    shown(places)
                )
            }
            Target::Sequence { classes, longest } => {
                write!(f, "up to {longest} of {classes} classes in a row")
            }
            Target::Values(shape) => write!(f, "values of shape {}", shown(shape)),
        }
    }
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
///     fn targets(&self) -> Vec<Target> {
///         vec![Target::Values(vec![1])]
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

    /// What each target of one example is.
    fn targets(&self) -> Vec<Target>;

    /// The examples at `indices`, in that order. An index may occur more than once.
    ///
    /// # Errors
    ///
    /// [`DataError::Index`] if an index is not below [`len`](Self::len). A source of a user's own
    /// reports its other failures as [`DataError::Source`].
    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError>;

    /// The examples at `indices` as a training sees them: those of [`gather`](Self::gather), unless
    /// the source augments them. Training draws, whatever measures gathers.
    ///
    /// A source that augments takes its random numbers from [`Draw::bits`]; one that wraps another
    /// asks it with [`Draw::beneath`] if it draws something itself, and else with `draw` as it is.
    ///
    /// # Errors
    ///
    /// Those of [`gather`](Self::gather).
    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        let _ = draw;
        self.gather(indices)
    }

    /// Whether what is [drawn](Self::draw) for one example depends on others of the source, as by
    /// [`Mixed`](super::Mixed). A part of such a source would still draw on the whole, so it is not to
    /// be [split]. A source that wraps another answers as that does.
    fn mixes(&self) -> bool {
        false
    }

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
    fetched(source, indices, None)
}

/// The same of a training that draws, or of whoever gathers.
pub(crate) fn fetched(
    source: &dyn Source,
    indices: &[usize],
    draw: Option<Draw>,
) -> Result<Examples, DataError> {
    let examples = match draw {
        Some(draw) => source.draw(indices, draw)?,
        None => source.gather(indices)?,
    };
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
    let targets = source.targets();
    let shapes = targets.iter().map(Target::shape);
    same(shapes.map(batched).collect(), &examples.targets)?;
    for (target, tensor) in targets.iter().zip(&examples.targets) {
        let (Target::Classes(classes, _) | Target::Sequence { classes, .. }) = *target else {
            continue;
        };
        let per_example = tensor.num_elements() / indices.len().max(1);
        for (place, label) in tensor.iter::<i64>().enumerate() {
            match usize::try_from(label) {
                Ok(label) if label < classes => {}
                // What is negative is shown as what it wraps to: there is no such label.
                _ => {
                    return Err(DataError::Label {
                        index: indices[place / per_example],
                        label: label as usize,
                        classes,
                    });
                }
            }
        }
    }
    Ok(examples)
}

/// The numbers of a tensor of `f32`, which every input is and every target of values.
pub(super) fn floats(tensor: TensorData) -> Result<Vec<f32>, DataError> {
    let found = tensor.dtype();
    tensor
        .try_into_vec()
        .map_err(|_| DataError::argument("source", "tensors of f32", format!("{found:?}")))
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
            fn targets(&self) -> Vec<Target> {
                (**self).targets()
            }
            fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
                (**self).gather(indices)
            }
            fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
                (**self).draw(indices, draw)
            }
            fn mixes(&self) -> bool {
                (**self).mixes()
            }
        }
    )*};
}

forward!(&S, Box<S>, Arc<S>);
