//! Classes as probabilities.

use super::{DataError, Draw, Examples, Source, Target, TensorData, source::fetched};

/// A source whose classes have become probabilities: 1 for the class of the example, 0 for the
/// others.
///
/// It is what [`Mixed`](super::Mixed) mixes, and what a network is validated on that learns from
/// mixed examples. Of the losses, `kl_divergence` behind `log_softmax` compares with probabilities:
/// its gradient is that of the cross entropy, and for whole classes so is its value.
///
/// # Example
///
/// ```
/// use kiln::data::{OneHot, Source, Table, Target, TensorData};
///
/// let table = Table::classes(vec![0.5, 0.7], &[1], vec![2, 0], 3)?;
/// let table = OneHot::new(table)?;
/// assert_eq!(table.targets(), [Target::Values(vec![3])]);
/// let batch = table.gather(&[0, 1])?;
/// assert_eq!(batch.targets[0], TensorData::from([[0.0f32, 0.0, 1.0], [1.0, 0.0, 0.0]]));
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OneHot<S> {
    source: S,
}

impl<S: Source> OneHot<S> {
    /// Turns every target of `source` that is one class per example into probabilities. Targets that
    /// are values stay as they are.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] if a target is neither.
    pub fn new(source: S) -> Result<Self, DataError> {
        let refused =
            |target: &&Target| !matches!(target, Target::Values(_)) && target.classes().is_none();
        match source.targets().iter().find(refused) {
            None => Ok(Self { source }),
            Some(target) => {
                let expected = "targets of one class per example, or values";
                Err(DataError::argument("source", expected, target))
            }
        }
    }

    fn probabilities(&self, mut examples: Examples) -> Examples {
        for (target, tensor) in self.source.targets().iter().zip(&mut examples.targets) {
            if let Some(classes) = target.classes() {
                let labels: Vec<_> = tensor.iter::<i64>().collect();
                let mut values = vec![0.0f32; labels.len() * classes];
                for (row, label) in values.chunks_exact_mut(classes).zip(&labels) {
                    // Every label was held to be below the number of classes.
                    row[*label as usize] = 1.0;
                }
                *tensor = TensorData::new(values, [labels.len(), classes]);
            }
        }
        examples
    }
}

impl<S: Source> Source for OneHot<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        self.source.inputs()
    }

    fn targets(&self) -> Vec<Target> {
        let targets = self.source.targets().into_iter();
        targets
            .map(|target| match target.classes() {
                Some(classes) => Target::Values(vec![classes]),
                None => target,
            })
            .collect()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        Ok(self.probabilities(fetched(&self.source, indices, None)?))
    }

    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        Ok(self.probabilities(fetched(&self.source, indices, Some(draw))?))
    }

    fn mixes(&self) -> bool {
        self.source.mixes()
    }
}
