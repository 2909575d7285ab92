//! What is measured of some of the examples, or without a promise that it is finite.

use burn::tensor::{Int, Tensor};

use super::{Objective, Sum};
use crate::flatness::FlatnessError;

impl Objective<'_> {
    /// The mean loss of some examples, and its gradient.
    ///
    /// # Errors
    ///
    /// An error of the data, or a plain module, whose examples cannot be chosen.
    pub(crate) fn part(
        &self,
        examples: impl IntoIterator<Item = usize>,
    ) -> Result<(f64, Tensor<1>), FlatnessError> {
        let examples: Vec<usize> = examples.into_iter().collect();
        let place = self.place(&[]);
        let (mut losses, mut sum) = (Vec::new(), Sum::default());
        for chosen in examples.chunks(self.batch) {
            let share = chosen.len() as f64 / examples.len() as f64;
            let [loss, gradient] = place.gradient(&self.problem.piece(chosen, share)?)?;
            losses.push(loss * share);
            sum.add(gradient, share);
        }
        let loss = losses.into_iter().map(|loss| loss.into_scalar::<f64>());
        let gradient = sum.sum.unwrap_or_else(|| self.layout.zeros());
        Ok((loss.sum(), gradient))
    }

    /// Whether examples see each other, so that the gradient of a batch is no mean of theirs.
    pub(crate) fn mixes_examples(&self) -> bool {
        self.batch_statistics
    }

    /// Who watches what is measured with it.
    pub(crate) fn watch(&self) -> &crate::flatness::Watch {
        &self.watch
    }

    /// The mean loss, which may be an infinity or no number, and the share of classes that are right,
    /// where the loss knows right from wrong.
    pub(crate) fn score(&self) -> Result<(f64, Option<f64>), FlatnessError> {
        let place = self.place(&[]);
        // Read together at the end: on a GPU every reading waits for the device.
        let (mut losses, mut shares, mut right) = (Vec::new(), Vec::new(), Vec::new());
        for piece in self.pieces() {
            let (loss, correct) = place.score(&piece)?;
            losses.push(loss);
            shares.push(piece.share);
            right.extend(correct);
        }
        let losses = Tensor::cat(losses, 0).into_data();
        let terms = losses.iter::<f64>().zip(shares);
        let accuracy = (!right.is_empty()).then(|| {
            let right = Tensor::<1, Int>::cat(right, 0).into_data();
            let decisions = self.examples() * self.problem.decisions();
            right.iter::<i64>().sum::<i64>() as f64 / decisions as f64
        });
        let loss = terms.map(|(loss, share)| loss * share).sum();
        Ok((loss, accuracy))
    }
}
