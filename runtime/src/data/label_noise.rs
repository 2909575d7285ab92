//! Labels that are wrong by chance.

use super::shuffle::SplitMix64;
use super::source::{checked, fetched};
use super::{DataError, Draw, Examples, Source, Target, TensorData};

/// A source with label noise: some classes are replaced by others, the same ones whenever the example
/// is asked for, in every epoch and in validation too.
///
/// What an example becomes is a function of the seed given here and of its index.
///
/// # Example
///
/// ```
/// use kiln::data::{LabelNoise, Source, digits};
///
/// let plain = digits()?;
/// let noisy = LabelNoise::symmetric(plain.clone(), 0.4, 7)?;
/// let wrong = (0..plain.len()).filter(|&index| noisy.label(index).unwrap() != plain.label(index).unwrap());
/// let share = wrong.count() as f64 / plain.len() as f64;
/// assert!((0.35..0.45).contains(&share));
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LabelNoise<S> {
    source: S,
    classes: usize,
    noise: Noise,
    seed: u64,
}

#[derive(Clone, Debug)]
enum Noise {
    Symmetric(f64),
    /// The rows of the matrix, each summed up from the left.
    Transition(Vec<Vec<f64>>),
}

impl<S: Source> LabelNoise<S> {
    /// With probability `rate` a class is replaced by one of the others, each as likely as the rest.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `rate` is in `0..=1` and the only target of `source` is one of
    /// two classes or more per example.
    pub fn symmetric(source: S, rate: f64, seed: u64) -> Result<Self, DataError> {
        let classes = classes(&source)?;
        if !(0.0..=1.0).contains(&rate) {
            return Err(DataError::argument("rate", "0 to 1", rate));
        }
        Ok(Self {
            source,
            classes,
            noise: Noise::Symmetric(rate),
            seed,
        })
    }

    /// A class c becomes c' with probability `transition[c][c']` (Patrini et al. 2017).
    ///
    /// ```
    /// use kiln::data::{LabelNoise, Table};
    ///
    /// let table = Table::classes(vec![0.0; 4], &[1], vec![0, 1, 1, 0], 2)?;
    /// // Every tenth 1 is taken for a 0, no 0 for a 1.
    /// let noisy = LabelNoise::transition(table, &[vec![1.0, 0.0], vec![0.1, 0.9]], 7)?;
    /// assert_eq!(noisy.label(0)?, 0);
    /// # Ok::<(), kiln::data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless the only target of `source` is one of two classes or more per
    /// example, and `transition` has a row and a column for each, numbers of at least 0 and rows that
    /// sum to 1 within 1e-6.
    pub fn transition(source: S, transition: &[Vec<f64>], seed: u64) -> Result<Self, DataError> {
        let classes = classes(&source)?;
        let wrong = |what: String, found: String| {
            DataError::argument("transition", format!("{what}, a row for each class"), found)
        };
        if transition.len() != classes {
            let found = format!("{} rows", transition.len());
            return Err(wrong(format!("{classes} rows of {classes}"), found));
        }
        let rows = transition.iter().enumerate().map(|(class, row)| {
            if row.len() != classes {
                let found = format!("{} numbers in row {class}", row.len());
                return Err(wrong(format!("{classes} rows of {classes}"), found));
            }
            let sum: f64 = row.iter().sum();
            // A number that is NaN is in no range either.
            if !row.iter().all(|p| (0.0..=1.0).contains(p)) || (sum - 1.0).abs() > 1e-6 {
                let expected = "probabilities that sum to 1".to_owned();
                return Err(wrong(expected, format!("{row:?} as row {class}")));
            }
            let mut below = 0.0;
            Ok(row
                .iter()
                .map(|p| {
                    below += p;
                    below
                })
                .collect())
        });
        let noise = Noise::Transition(rows.collect::<Result<_, _>>()?);
        Ok(Self {
            source,
            classes,
            noise,
            seed,
        })
    }

    /// The source whose labels are right.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The class of one example, noise included.
    ///
    /// # Errors
    ///
    /// Those of the source, such as [`DataError::Index`].
    pub fn label(&self, index: usize) -> Result<usize, DataError> {
        let examples = checked(&self.source, &[index])?;
        let label = examples.targets[0].iter::<i64>().next();
        Ok(self.noisy(index, label.unwrap_or_default() as usize))
    }

    fn noisy(&self, index: usize, label: usize) -> usize {
        let draw = Draw {
            seed: self.seed,
            // Of no epoch: an augmentation with the same seed draws other numbers in each.
            epoch: usize::MAX,
        };
        let random: &mut SplitMix64 = &mut draw.random(index);
        match &self.noise {
            Noise::Symmetric(rate) if random.unit() <= *rate => {
                let other = random.below(self.classes as u64 - 1) as usize;
                other + usize::from(other >= label)
            }
            Noise::Symmetric(_) => label,
            Noise::Transition(rows) => {
                let row = &rows[label];
                // Up to the last sum, which rounding may have kept below 1.
                let place = random.unit() * row.last().copied().unwrap_or(1.0);
                row.iter().position(|&sum| place <= sum).unwrap_or(label)
            }
        }
    }

    fn replaced(&self, indices: &[usize], mut examples: Examples) -> Examples {
        let labels = examples.targets[0].iter::<i64>().zip(indices);
        // A class fits an `i32`, or there could be no such label.
        let labels = labels.map(|(label, &index)| self.noisy(index, label as usize) as i32);
        examples.targets[0] = TensorData::new(labels.collect(), [indices.len()]);
        examples
    }
}

fn classes(source: &dyn Source) -> Result<usize, DataError> {
    let targets = source.targets();
    match targets.as_slice() {
        [Target::Classes(classes, places)] if *classes > 1 && places.is_empty() => Ok(*classes),
        _ => {
            let expected = "one target of two classes or more per example";
            let found = targets.iter().map(Target::to_string).collect::<Vec<_>>();
            Err(DataError::argument("source", expected, found.join(", ")))
        }
    }
}

impl<S: Source> Source for LabelNoise<S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn inputs(&self) -> Vec<Vec<usize>> {
        self.source.inputs()
    }

    fn targets(&self) -> Vec<Target> {
        self.source.targets()
    }

    fn gather(&self, indices: &[usize]) -> Result<Examples, DataError> {
        Ok(self.replaced(indices, checked(&self.source, indices)?))
    }

    fn draw(&self, indices: &[usize], draw: Draw) -> Result<Examples, DataError> {
        let examples = fetched(&self.source, indices, Some(draw))?;
        Ok(self.replaced(indices, examples))
    }

    fn mixes(&self) -> bool {
        self.source.mixes()
    }
}
