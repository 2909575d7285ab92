//! Standardisation and whitening, fitted to one data set and applied to others.

use nalgebra::{DMatrix, DMatrixView, DVector, SymmetricEigen};
use serde::{Deserialize, Serialize};

use super::source::{checked, fetched, floats};
use super::{DataError, Draw, Examples, Source, Target, TensorData};

/// Numbers that are held at a time while fitting.
const PIECE: usize = 1 << 20;

/// The most features that are whitened: the covariance of more than these takes above half a gigabyte,
/// and its eigenvectors hours.
const MOST: usize = 8192;

/// A map of the features of an example, fitted to a data set.
///
/// It is fitted to the training examples alone and then applied to all: what is measured on test
/// examples must not know them. It is stored with serde beside the model, for whoever uses that.
///
/// With the mean m and the covariance `C = U diag(λ) Uᵀ` of the n training examples, both divided by
/// n, an example x becomes
///
/// | | |
/// |---|---|
/// | [`standardize`](Self::standardize) and its kin | `(x - m) / std` |
/// | [`pca`](Self::pca) | `diag(1 / √(λ + ε)) Uᵀ (x - m)`, the largest λ first |
/// | [`zca`](Self::zca) | `U diag(1 / √(λ + ε)) Uᵀ (x - m)` |
///
/// What never changes becomes 0. It is fitted to what the source [gathers](Source::gather), so without
/// its augmentation.
///
/// # Example
///
/// ```
/// use kiln::data::{Normalization, Source, digits};
///
/// let (train, test) = digits()?.split(0.8, 42)?;
/// let whitening = Normalization::zca(&train, 0.01)?;
/// let written = serde_json::to_string(&whitening).unwrap();
///
/// let (train, test) = (whitening.apply(train)?, whitening.apply(test)?);
/// assert_eq!(test.inputs(), [[1, 8, 8]]);
/// assert_eq!(serde_json::from_str::<Normalization>(&written).unwrap(), whitening);
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Of the input of one example.
    shape: Vec<usize>,
    /// As precise as the features; serde_json gives a number of more digits back a little changed.
    mean: Vec<f32>,
    map: Map,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Map {
    /// What each feature is multiplied by.
    Scale(Vec<f32>),
    /// A matrix, one column for each feature, column by column.
    Matrix {
        /// What comes out.
        shape: Vec<usize>,
        values: Vec<f32>,
    },
}

impl Normalization {
    /// Each feature gets mean 0 and variance 1.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless the source has one input, examples, and nothing but finite
    /// features; otherwise those of the source.
    pub fn standardize(source: &dyn Source) -> Result<Self, DataError> {
        Self::standardize_alike(source, |_| 1)
    }

    /// All features together get mean 0 and variance 1: one mean and one standard deviation.
    ///
    /// # Errors
    ///
    /// Those of [`standardize`](Self::standardize).
    pub fn standardize_whole(source: &dyn Source) -> Result<Self, DataError> {
        Self::standardize_alike(source, |shape| shape.iter().product())
    }

    /// Each channel, the first dimension of an example, gets mean 0 and variance 1.
    ///
    /// # Errors
    ///
    /// Those of [`standardize`](Self::standardize).
    pub fn standardize_channels(source: &dyn Source) -> Result<Self, DataError> {
        Self::standardize_alike(source, |shape| shape.iter().skip(1).product())
    }

    /// As many features in a row as `alike` says of the shape share their moments.
    fn standardize_alike(
        source: &dyn Source,
        alike: impl Fn(&[usize]) -> usize,
    ) -> Result<Self, DataError> {
        let Features { shape, width } = Features::of(source)?;
        let alike = alike(&shape);
        let groups = width / alike;
        let mean = means(source, width, alike)?;
        let mut squares = vec![0.0; groups];
        pieces(source, width, |piece| {
            each_group(piece, alike, groups, |group, x| {
                squares[group] += (x - mean[group]).powi(2);
            });
        })?;
        let count = (source.len() * alike) as f64;
        let scale = squares
            .into_iter()
            .map(|squares: f64| reciprocal((squares / count).sqrt()).unwrap_or(1.0));
        let spread = |values: Vec<f64>| {
            let values = values.into_iter();
            values.flat_map(|value| vec![value as f32; alike]).collect()
        };
        Ok(Self {
            shape,
            map: Map::Scale(spread(scale.collect())),
            mean: spread(mean),
        })
    }

    /// Whitening by principal components: the covariance becomes the identity, as far as ε allows. Of
    /// an example come so many `components` in the order of the variance that they explain, each of
    /// variance `λ / (λ + ε)`; the largest number of an eigenvector is positive.
    ///
    /// scikit-learn's `PCA(whiten=True)` is the same with an ε of 0 but divides by `n - 1`.
    ///
    /// # Errors
    ///
    /// Those of [`standardize`](Self::standardize), and [`DataError::Argument`] unless ε is finite and
    /// not negative, `components` is 1 to the number of features, and those are 8192 at most.
    pub fn pca(source: &dyn Source, components: usize, epsilon: f64) -> Result<Self, DataError> {
        let Features { width, .. } = Features::of(source)?;
        if components == 0 || components > width {
            let expected = format!("1 to {width}, the number of features");
            return Err(DataError::argument("components", expected, components));
        }
        let Principal {
            features,
            mean,
            vectors,
            scale,
        } = Principal::of(source, epsilon)?;
        let matrix = DMatrix::from_fn(components, width, |row, column| {
            (vectors[(column, row)] * scale[row]) as f32
        });
        Ok(Self {
            shape: features.shape,
            mean,
            map: Map::Matrix {
                shape: vec![components],
                values: matrix.data.into(),
            },
        })
    }

    /// Whitening by zero-phase components (Bell and Sejnowski 1997): of all maps that whiten, the one
    /// that changes an example least. What comes out has the shape of what goes in.
    ///
    /// ε decides how much of the noise is amplified in directions in which hardly anything varies; for
    /// images of 0 to 1, 0.01 to 0.1 are usual.
    ///
    /// # Errors
    ///
    /// Those of [`pca`](Self::pca).
    pub fn zca(source: &dyn Source, epsilon: f64) -> Result<Self, DataError> {
        let Principal {
            features,
            mean,
            vectors,
            scale,
        } = Principal::of(source, epsilon)?;
        let matrix = &vectors * DMatrix::from_diagonal(&scale) * vectors.transpose();
        Ok(Self {
            map: Map::Matrix {
                shape: features.shape.clone(),
                values: matrix.map(|value| value as f32).data.into(),
            },
            shape: features.shape,
            mean,
        })
    }

    /// The examples of `source`, normalised whenever they are asked for. It belongs around an
    /// [augmentation](super::Augmented), which then works on the images as they are.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless the source has one input of the shape that this was fitted to.
    pub fn apply<S: Source>(&self, source: S) -> Result<Normalized<S>, DataError> {
        self.check()?;
        let inputs = source.inputs();
        if inputs != [self.shape.as_slice()] {
            let expected = format!("one input of shape {:?}, as fitted to", self.shape);
            return Err(DataError::argument(
                "source",
                expected,
                format!("{inputs:?}"),
            ));
        }
        Ok(Normalized {
            source,
            normalization: self.clone(),
        })
    }

    /// A batch `[batch, ..]` of `f32`, normalised.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless its examples have the shape that this was fitted to.
    pub fn transform(&self, batch: TensorData) -> Result<TensorData, DataError> {
        self.check()?;
        let shape = batch.shape().to_vec();
        if shape.is_empty() || shape[1..] != self.shape {
            let expected = format!("a batch of shape {:?}, as fitted to", self.shape);
            return Err(DataError::argument("batch", expected, format!("{shape:?}")));
        }
        self.transformed(batch)
    }

    fn transformed(&self, batch: TensorData) -> Result<TensorData, DataError> {
        let (count, width) = (batch.shape()[0], self.mean.len());
        let mut values = floats(batch)?;
        match &self.map {
            Map::Scale(scale) => {
                for example in values.chunks_exact_mut(width) {
                    for ((x, mean), scale) in example.iter_mut().zip(&self.mean).zip(scale) {
                        *x = (*x - mean) * scale;
                    }
                }
            }
            Map::Matrix { values: matrix, .. } => {
                for example in values.chunks_exact_mut(width) {
                    for (x, mean) in example.iter_mut().zip(&self.mean) {
                        *x -= mean;
                    }
                }
                let matrix = DMatrixView::from_slice(matrix, matrix.len() / width, width);
                values = (matrix * DMatrixView::from_slice(&values, width, count))
                    .data
                    .into();
            }
        }
        Ok(TensorData::new(values, [&[count], self.outputs()].concat()))
    }

    /// The shape of what comes out of an example.
    fn outputs(&self) -> &[usize] {
        match &self.map {
            Map::Scale(_) => &self.shape,
            Map::Matrix { shape, .. } => shape,
        }
    }

    /// Whether it is of one piece, which one that was read need not be.
    fn check(&self) -> Result<(), DataError> {
        let width = product(&self.shape).filter(|&width| width > 0 && width == self.mean.len());
        let sound = width.is_some_and(|width| match &self.map {
            Map::Scale(scale) => scale.len() == width,
            Map::Matrix { shape, values } => product(shape)
                .and_then(|rows| rows.checked_mul(width))
                .is_some_and(|numbers| numbers > 0 && numbers == values.len()),
        });
        if sound {
            return Ok(());
        }
        let expected = "as many numbers as its shape says";
        let found = format!(
            "others for {:?}: it was not written by this library",
            self.shape
        );
        Err(DataError::argument("normalization", expected, found))
    }
}

/// How many numbers a shape has, unless that is beyond a number itself.
fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().copied().try_fold(1, usize::checked_mul)
}

/// What brings a deviation to 1, unless it is so small that no feature could be multiplied by that.
fn reciprocal(deviation: f64) -> Option<f64> {
    let scale = 1.0 / deviation;
    (scale as f32).is_finite().then_some(scale)
}

/// A source whose input is [normalised](Normalization).
#[derive(Clone, Debug)]
pub struct Normalized<S> {
    source: S,
    normalization: Normalization,
}

impl<S: Source> Normalized<S> {
    /// The source as it was.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The map.
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    fn normalized(&self, examples: Examples) -> Result<Examples, DataError> {
        let inputs = examples.inputs.into_iter();
        let inputs = inputs.map(|input| self.normalization.transformed(input));
        Ok(Examples {
            inputs: inputs.collect::<Result<_, _>>()?,
            targets: examples.targets,
        })
    }
}

impl<S: Source> Source for Normalized<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![self.normalization.outputs().to_vec()]
    }

    fn targets(&self) -> Vec<Target> {
        self.source.targets()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        self.normalized(checked(&self.source, indices)?)
    }

    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        self.normalized(fetched(&self.source, indices, Some(draw))?)
    }

    fn mixes(&self) -> bool {
        self.source.mixes()
    }
}

/// What is fitted to.
struct Features {
    shape: Vec<usize>,
    width: usize,
}

impl Features {
    fn of(source: &dyn Source) -> Result<Self, DataError> {
        if source.is_empty() {
            return Err(DataError::argument("source", "at least one example", 0));
        }
        match <[_; 1]>::try_from(source.inputs()) {
            Ok([shape]) => match product(&shape) {
                Some(width) if width > 0 => Ok(Self { shape, width }),
                _ => Err(DataError::Shape { shape }),
            },
            Err(inputs) => {
                let found = format!("{} of them", inputs.len());
                Err(DataError::argument("source", "one input", found))
            }
        }
    }
}

/// Hands on the features of all examples, some examples at a time.
fn pieces(
    source: &dyn Source,
    width: usize,
    mut each: impl FnMut(&[f32]),
) -> Result<(), DataError> {
    let step = (PIECE / width).max(1);
    for first in (0..source.len()).step_by(step) {
        let indices: Vec<usize> = (first..source.len().min(first + step)).collect();
        for tensor in checked(source, &indices)?.inputs {
            let values = floats(tensor)?;
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                let found = format!("{} in example {}", values[place], first + place / width);
                return Err(DataError::argument("source", "finite features", found));
            }
            each(&values);
        }
    }
    Ok(())
}

/// The mean of each group of features, `alike` in a row.
fn means(source: &dyn Source, width: usize, alike: usize) -> Result<Vec<f64>, DataError> {
    let groups = width / alike;
    // Differences to the first example: what never changes differs by exactly 0, so that its mean is
    // itself and its variance 0, and neither is rounding.
    let mut origin: Vec<f64> = Vec::new();
    let mut sums = vec![0.0; groups];
    pieces(source, width, |piece| {
        if origin.is_empty() {
            let first = piece[..width].chunks_exact(alike);
            origin = first.map(|features| features[0].into()).collect();
        }
        each_group(piece, alike, groups, |group, x| {
            sums[group] += x - origin[group];
        });
    })?;
    let count = (source.len() * alike) as f64;
    let means = origin.iter().zip(&sums);
    Ok(means.map(|(origin, sum)| origin + sum / count).collect())
}

/// Hands on every number with its group, `alike` numbers in a row to each of the `groups`.
fn each_group(piece: &[f32], alike: usize, groups: usize, mut each: impl FnMut(usize, f64)) {
    for (place, features) in piece.chunks_exact(alike).enumerate() {
        for &x in features {
            each(place % groups, x.into());
        }
    }
}

/// The principal components of a data set.
struct Principal {
    features: Features,
    mean: Vec<f32>,
    /// Eigenvectors of the covariance in columns, those of the largest eigenvalues first.
    vectors: DMatrix<f64>,
    /// `1 / √(λ + ε)`.
    scale: DVector<f64>,
}

impl Principal {
    fn of(source: &dyn Source, epsilon: f64) -> Result<Self, DataError> {
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            let expected = "a finite number of at least 0";
            return Err(DataError::argument("epsilon", expected, epsilon));
        }
        let features = Features::of(source)?;
        let width = features.width;
        if width > MOST {
            let expected =
                format!("examples of at most {MOST} features, for a matrix of their covariance");
            return Err(DataError::argument("source", expected, width));
        }
        let mean = DVector::from_vec(means(source, width, 1)?);
        let mut covariance = DMatrix::zeros(width, width);
        pieces(source, width, |piece| {
            let mut piece =
                DMatrixView::from_slice(piece, width, piece.len() / width).map(f64::from);
            for mut example in piece.column_iter_mut() {
                example -= &mean;
            }
            covariance.gemm(1.0 / source.len() as f64, &piece, &piece.transpose(), 1.0);
        })?;
        let SymmetricEigen {
            eigenvalues,
            eigenvectors,
        } = covariance.symmetric_eigen();
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]));
        // Below this an eigenvalue is rounding.
        let floor = eigenvalues.max() * width as f64 * f64::EPSILON;
        let scale = order
            .iter()
            .map(|&at| match eigenvalues[at].max(0.0) + epsilon {
                value if value > floor => reciprocal(value.sqrt()).unwrap_or(0.0),
                _ => 0.0,
            });
        let scale = DVector::from_iterator(width, scale);
        let columns = order.iter().map(|&at| {
            let vector = eigenvectors.column(at);
            let sign = vector[vector.iamax()].signum();
            vector * sign
        });
        Ok(Self {
            features,
            mean: mean.iter().map(|&mean| mean as f32).collect(),
            vectors: DMatrix::from_columns(&columns.collect::<Vec<_>>()),
            scale,
        })
    }
}
