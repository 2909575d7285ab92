//! A table in memory: `f32` features, with a class or a tensor of values per example.

use super::{DataError, Examples, Source, Target, labels::Labels, rows::Rows};

/// Features of any shape, with class or value targets.
#[derive(Clone, Debug)]
pub struct Table {
    features: Rows<f32>,
    targets: Targets,
}

#[derive(Clone, Debug)]
enum Targets {
    Classes(Labels),
    Values(Rows<f32>),
}

impl Table {
    /// For classification: `features` are examples of `shape`, one after another, and
    /// `labels[i]` is the class of example i, below `classes`.
    ///
    /// # Errors
    ///
    /// [`DataError::Shape`], [`DataError::Count`], [`DataError::Label`] or
    /// [`DataError::Argument`] if the arguments contradict each other.
    ///
    /// # Example
    ///
    /// ```
    /// use kiln::data::{Source, Table, TensorData};
    ///
    /// let xor = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
    /// let table = Table::classes(xor, &[2], vec![0, 1, 1, 0], 2)?;
    /// let batch = table.gather(&[2, 3])?;
    /// assert_eq!(batch.inputs[0], TensorData::from([[1.0f32, 0.0], [1.0, 1.0]]));
    /// assert_eq!(batch.targets[0], TensorData::from([1, 0]));
    /// # Ok::<(), kiln::data::DataError>(())
    /// ```
    pub fn classes(
        features: Vec<f32>,
        shape: &[usize],
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Self, DataError> {
        let features = Rows::new("features", features, shape)?;
        let targets = Targets::Classes(Labels::new(labels, classes, features.len())?);
        Ok(Self { features, targets })
    }

    /// For regression: `features` are examples of `shape` and `targets` tensors of
    /// `target_shape`, one after another. `[]` is one number per example.
    ///
    /// # Errors
    ///
    /// [`DataError::Shape`] or [`DataError::Count`] if the arguments contradict each other.
    ///
    /// # Example
    ///
    /// ```
    /// use kiln::data::{Source, Table, Target};
    ///
    /// let table = Table::values(vec![0.0, 1.0, 2.0], &[1], vec![1.0, 3.0, 5.0], &[1])?;
    /// assert_eq!((table.len(), table.targets()), (3, vec![Target::Values(vec![1])]));
    /// # Ok::<(), kiln::data::DataError>(())
    /// ```
    pub fn values(
        features: Vec<f32>,
        shape: &[usize],
        targets: Vec<f32>,
        target_shape: &[usize],
    ) -> Result<Self, DataError> {
        let features = Rows::new("features", features, shape)?;
        let targets = Rows::new("target values", targets, target_shape)?;
        let targets = Targets::Values(targets.expect_len("targets", features.len())?);
        Ok(Self { features, targets })
    }
}

impl Source for Table {
    fn len(&self) -> usize {
        self.features.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        vec![self.features.shape().to_vec()]
    }

    fn targets(&self) -> Vec<Target> {
        vec![match &self.targets {
            Targets::Classes(labels) => Target::Classes(labels.classes(), Vec::new()),
            Targets::Values(values) => Target::Values(values.shape().to_vec()),
        }]
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        let targets = match &self.targets {
            Targets::Classes(labels) => labels.gather(indices)?,
            Targets::Values(values) => values.gather(indices, |value| value)?,
        };
        Ok(Examples {
            inputs: vec![self.features.gather(indices, |value| value)?],
            targets: vec![targets],
        })
    }
}
