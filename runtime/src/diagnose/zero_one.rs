//! The expected share of mistakes as bias and net variance.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::bias_variance::length;
use super::{DiagnoseError, Predictions};
use crate::svg::short;

impl Predictions<usize> {
    /// Takes the share of mistakes apart, as Domingos 2000, "A unified bias-variance decomposition".
    ///
    /// The main prediction at a point is the class that most training sets give, the smallest of
    /// several. The point is biased where that is not the label. The variance is the share of
    /// predictions that are not the main one: it adds mistakes where there is no bias, and where
    /// there is one it takes away those that happen to be right. The labels are taken to be without
    /// noise.
    ///
    /// ```
    /// use kiln::diagnose::Predictions;
    ///
    /// // Two points, of classes 0 and 1, by four training sets.
    /// let rows = vec![vec![0, 2], vec![0, 2], vec![0, 1], vec![1, 2]];
    /// let parts = Predictions::new(rows)?.zero_one(&[0, 1])?;
    /// assert_eq!([parts.error, parts.bias], [0.5, 0.5]);
    /// // The first point is wrong once, the second right once.
    /// assert_eq!([parts.unbiased_variance, parts.biased_variance], [0.125, 0.125]);
    /// # Ok::<(), kiln::diagnose::DiagnoseError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Labels that are not as many as the test points.
    pub fn zero_one(&self, labels: &[usize]) -> Result<ZeroOne, DiagnoseError> {
        length(|| "the labels".into(), self.points(), labels.len())?;
        let rows = self.rows();
        let (mut mistakes, mut biased) = (0, 0);
        let (mut added, mut taken) = (0, 0);
        for (point, label) in labels.iter().enumerate() {
            let mut votes: BTreeMap<usize, usize> = BTreeMap::new();
            for row in rows {
                *votes.entry(row[point]).or_default() += 1;
            }
            let right = votes.get(label).copied().unwrap_or(0);
            mistakes += rows.len() - right;
            // The last of equals is the smallest class.
            let main = votes.iter().rev().max_by_key(|(_, votes)| **votes);
            match main {
                Some((class, votes)) if class == label => added += rows.len() - votes,
                _ => {
                    biased += 1;
                    taken += right;
                }
            }
        }
        let share = |count: usize| count as f64 / (rows.len() * labels.len()) as f64;
        Ok(ZeroOne {
            repeats: rows.len(),
            points: labels.len(),
            error: share(mistakes),
            bias: biased as f64 / labels.len() as f64,
            unbiased_variance: share(added),
            biased_variance: share(taken),
        })
    }
}

/// What [`Predictions::zero_one`] found: *error = bias + unbiased variance − biased variance*. All
/// are shares of the predictions, in `0..=1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZeroOne {
    /// The number of training sets.
    pub repeats: usize,
    /// The number of test points.
    pub points: usize,
    /// The mistakes.
    pub error: f64,
    /// The points at which the main prediction is wrong.
    pub bias: f64,
    /// The mistakes at points without bias.
    pub unbiased_variance: f64,
    /// The right predictions at points with bias.
    pub biased_variance: f64,
}

impl ZeroOne {
    /// What the variance adds to the bias; below 0 where it helps more than it harms.
    pub fn net_variance(&self) -> f64 {
        self.unbiased_variance - self.biased_variance
    }
}

impl fmt::Display for ZeroOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected share of mistakes {} over {} training sets and {} points\n\
             bias          {:>10}\nnet variance  {:>10}",
            short(self.error),
            self.repeats,
            self.points,
            short(self.bias),
            short(self.net_variance()),
        )
    }
}
