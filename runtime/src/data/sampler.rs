//! The sampler: which examples each process sees at each step.

use super::{DataError, shuffle::SplitMix64};

/// The order of training, a pure function of (seed, epoch, step, rank, ranks).
///
/// Each epoch has its own permutation π of the examples. It is cut into batches of B, and step s
/// of rank r (of R) is batch s·R + r:
///
/// ```text
/// π[(s·R + r)·B .. (s·R + r + 1)·B]
/// ```
///
/// So at step s, R processes at batch B see together the examples of one process at batch R·B,
/// and an epoch has ⌊len / (R·B)⌋ steps; the rest of π is left out, another rest each epoch.
/// Nothing depends on what was sampled before, so a run can start again at any step.
///
/// # Example
///
/// ```
/// use kiln::data::Sampler;
///
/// let one = Sampler::new(100, 8, 42)?.epoch(3);
/// let left = Sampler::new(100, 4, 42)?.ranks(0, 2)?.epoch(3);
/// let right = Sampler::new(100, 4, 42)?.ranks(1, 2)?.epoch(3);
/// assert_eq!(one.batch(5), [left.batch(5), right.batch(5)].concat());
/// # Ok::<(), kiln::data::DataError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    len: usize,
    batch: usize,
    seed: u64,
    rank: usize,
    ranks: usize,
}

impl Sampler {
    /// Batches of `batch` out of `len` examples, for one process.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] unless `batch` is 1 to `len`.
    pub fn new(len: usize, batch: usize, seed: u64) -> Result<Self, DataError> {
        if batch == 0 || batch > len {
            let expected = format!("1 or more, and no more than the {len} examples there are");
            return Err(DataError::argument("batch", expected, batch));
        }
        Ok(Self {
            len,
            batch,
            seed,
            rank: 0,
            ranks: 1,
        })
    }

    /// Makes this the sampler of process `rank`, counted from 0, of `ranks`. The batch stays
    /// what one process sees.
    ///
    /// # Errors
    ///
    /// [`DataError::Argument`] if there are no ranks, `rank` is not one of them, or the examples
    /// are not enough for one batch each.
    pub fn ranks(self, rank: usize, ranks: usize) -> Result<Self, DataError> {
        let (len, batch) = (self.len, self.batch);
        let most = len / batch;
        if ranks == 0 || ranks > most {
            let expected = format!("1 to {most}, as {len} examples hold {most} batches of {batch}");
            return Err(DataError::argument("ranks", expected, ranks));
        }
        if rank >= ranks {
            let expected = format!("0 to {}, as there are {ranks} ranks", ranks - 1);
            return Err(DataError::argument("rank", expected, rank));
        }
        Ok(Self {
            rank,
            ranks,
            ..self
        })
    }

    /// How many examples are sampled from.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Steps in every epoch: ⌊len / (ranks · batch)⌋, never 0.
    pub fn steps_per_epoch(&self) -> usize {
        // Divided in turn: the product might not fit.
        self.len / self.batch / self.ranks
    }

    /// The order of one epoch, counted from 0.
    pub fn epoch(&self, epoch: usize) -> Epoch {
        // Hashed twice: neither (seed, epoch) and (seed + 1, epoch − 1) nor any other neighbours
        // may share their order.
        let key = SplitMix64::new(self.seed).next() ^ epoch as u64;
        let key = SplitMix64::new(key).next();
        Epoch {
            order: SplitMix64::new(key).permutation(self.len),
            sampler: *self,
        }
    }
}

/// The batches of one epoch: see [`Sampler`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    order: Vec<usize>,
    sampler: Sampler,
}

impl Epoch {
    /// The indices of this rank's examples at `step`, counted from 0 in the epoch. Empty from
    /// [`steps_per_epoch`](Sampler::steps_per_epoch) on.
    pub fn batch(&self, step: usize) -> &[usize] {
        let Sampler {
            batch, rank, ranks, ..
        } = self.sampler;
        if step >= self.sampler.steps_per_epoch() {
            return &[];
        }
        &self.order[(step * ranks + rank) * batch..][..batch]
    }
}
