//! Class labels: one index below the number of classes per example.

use super::{DataError, TensorData, rows::Rows};

/// Checked labels.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    rows: Rows<i32>,
    classes: usize,
}

impl Labels {
    /// One label for each of so many `examples`.
    pub(super) fn new(
        labels: impl IntoIterator<Item = usize>,
        classes: usize,
        examples: usize,
    ) -> Result<Self, DataError> {
        // Labels become i32 tensors, so a class must fit.
        if classes == 0 || i32::try_from(classes).is_err() {
            let expected = format!("1 to {}", i32::MAX);
            return Err(DataError::argument("classes", expected, classes));
        }
        let checked = labels.into_iter().enumerate().map(|(index, label)| {
            i32::try_from(label)
                .ok()
                .filter(|_| label < classes)
                .ok_or(DataError::Label {
                    index,
                    label,
                    classes,
                })
        });
        let rows = Rows::new("labels", checked.collect::<Result<_, _>>()?, &[])?;
        Ok(Self {
            rows: rows.expect_len("labels", examples)?,
            classes,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    pub(super) fn get(&self, index: usize) -> Result<usize, DataError> {
        // Never negative: `new` made it from a usize.
        Ok(self.rows.get(index)?[0] as usize)
    }

    /// `[indices.len()]` of `i32`.
    pub(super) fn gather(&self, indices: &[usize]) -> Result<TensorData, DataError> {
        self.rows.gather(indices, |label| label)
    }
}
