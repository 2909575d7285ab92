//! What the random numbers of augmentation come from.

use super::shuffle::SplitMix64;

/// Which drawing of the examples is asked for: the training's seed and its epoch.
///
/// Whatever a source draws for an example is a function of this and of the example's index in that
/// source, and of nothing else: not of the batch, the rank or the worker that the example falls to.
/// So a training that was resumed, and M processes in place of one, see the same numbers.
///
/// # Example
///
/// ```
/// use kiln::data::Draw;
///
/// let draw = Draw { seed: 42, epoch: 3 };
/// assert_eq!(draw.bits(7), Draw { seed: 42, epoch: 3 }.bits(7));
/// assert_ne!(draw.bits(7), draw.bits(8));
/// assert_ne!(draw.bits(7), draw.beneath().bits(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// The training's seed.
    pub seed: u64,
    /// The epoch, counted from 0.
    pub epoch: usize,
}

impl Draw {
    /// 64 random bits for one example, to draw from or to seed a generator with.
    pub fn bits(self, example: usize) -> u64 {
        // Hashed at each turn, so that no two of (seed, epoch, example) meet by adding up alike. The
        // sampler hashes the seed itself: the order shall tell nothing of the pixels.
        let key = SplitMix64::new(!self.seed).next() ^ self.epoch as u64;
        let key = SplitMix64::new(key).next() ^ example as u64;
        SplitMix64::new(key).next()
    }

    /// What a source that draws passes to the source that it draws from, so that two of a kind, one
    /// upon the other, do not draw the same.
    pub fn beneath(self) -> Self {
        Self {
            seed: SplitMix64::new(self.seed.rotate_left(32)).next(),
            ..self
        }
    }

    /// The generator of one example.
    pub(super) fn random(self, example: usize) -> SplitMix64 {
        SplitMix64::new(self.bits(example))
    }
}
