//! What is known of each channel of a batch.

/// Mean and biased variance of a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    pub mean: f64,
    pub variance: f64,
}

/// The moments of a channel from those of its parts: count, mean, and sum of the squares of the
/// distances from that mean (Chan, Golub and LeVeque 1983).
pub fn merged(parts: impl Iterator<Item = (usize, [f64; 2])> + Clone) -> Moments {
    let parts = parts.map(|(count, moments)| (count as f64, moments));
    let (count, sum) = parts
        .clone()
        .fold((0.0, 0.0), |(counts, sum), (count, [mean, _])| {
            (counts + count, sum + count * mean)
        });
    let mean = sum / count;
    let squares = parts.fold(0.0, |sum, (count, [part, squares])| {
        sum + squares + count * (part - mean) * (part - mean)
    });
    Moments {
        mean,
        variance: squares / count,
    }
}

impl Moments {
    /// `1 / sqrt(variance + epsilon)`.
    pub fn inverse_deviation(&self, epsilon: f64) -> f64 {
        (self.variance + epsilon).sqrt().recip()
    }
}
