//! SplitMix64 and the Fisher-Yates shuffle.
//!
//! Written here and not taken from a crate: resuming a run to the bit needs an order that no
//! version of a dependency can change.

/// The generator of Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators"
/// (OOPSLA 2014), with the constants of Vigna's `splitmix64.c`.
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1].
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 * 2f64.powi(-53)
    }

    /// Uniform below `bound`, which is not 0, without bias: Lemire, "Fast Random Integer
    /// Generation in an Interval" (2019). The high half of `next · bound` is the number; the few
    /// low halves that would favour some numbers are drawn again.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let unfair = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next()) * u128::from(bound);
            if product as u64 >= unfair {
                return (product >> 64) as u64;
            }
        }
    }

    /// 0, 1, .., `len` − 1 in one of the `len`! orders, each as likely as the others.
    pub(super) fn permutation(mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.below(last as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosetta Code, "Pseudo-random numbers/Splitmix64", and java.util.SplittableRandom for 0.
    #[test]
    fn splitmix64_gives_its_published_values() {
        let first = |seed| {
            let mut random = SplitMix64::new(seed);
            [(); 5].map(|()| random.next())
        };
        assert_eq!(
            first(1_234_567),
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
        assert_eq!(
            first(0)[..3],
            [
                0xe220_a839_7b1d_cdaf,
                0x6e78_9e6a_a1b9_65f4,
                0x06c4_5d18_8009_454f
            ]
        );
    }

    /// Pearson's χ² over the 24 orders of four, and over where each of 52 cards ends up. The
    /// seeds are fixed, so the figures are too: they are checked against the 99.9 % point.
    #[test]
    fn every_order_is_equally_likely() {
        let mut orders = [0u32; 256];
        for seed in 0..24_000 {
            let p = SplitMix64::new(seed).permutation(4);
            orders[p[0] * 64 + p[1] * 16 + p[2] * 4 + p[3]] += 1;
        }
        let seen: Vec<_> = orders.into_iter().filter(|&n| n > 0).collect();
        assert_eq!(seen.len(), 24);
        assert!(chi_square(&seen, 1000.0) < 49.7, "23 degrees of freedom");

        let mut places = vec![0u32; 52 * 52];
        for seed in 0..10_400 {
            for (place, card) in SplitMix64::new(seed)
                .permutation(52)
                .into_iter()
                .enumerate()
            {
                places[place * 52 + card] += 1;
            }
        }
        assert!(
            chi_square(&places, 200.0) < 2832.0,
            "51² degrees of freedom"
        );
    }

    fn chi_square(observed: &[u32], expected: f64) -> f64 {
        let square = |&n: &u32| (f64::from(n) - expected).powi(2) / expected;
        observed.iter().map(square).sum()
    }

    #[test]
    fn a_bound_that_does_not_divide_two_to_the_64_is_drawn_without_bias() {
        // Of 2^64 numbers, 3·2^62 as a bound maps two onto every third value unless some are
        // drawn again.
        let bound = 3u64 << 62;
        let mut random = SplitMix64::new(7);
        let mut thirds = [0u32; 3];
        for _ in 0..30_000 {
            let value = random.below(bound);
            thirds[(value % 3) as usize] += 1;
        }
        assert!(chi_square(&thirds, 10_000.0) < 13.8, "{thirds:?}");
    }
}
