//! The affine map that makes numbers of 8-bit pixels.

use super::DataError;

/// A pixel p becomes (p · scale − mean) / std.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    scale: f64,
    mean: f64,
    std: f64,
}

impl Default for Levels {
    /// 0..=1.
    fn default() -> Self {
        Self {
            scale: 1.0 / 255.0,
            mean: 0.0,
            std: 1.0,
        }
    }
}

impl Levels {
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    pub(super) fn scaled(self, scale: f64) -> Result<Self, DataError> {
        let scale = positive("scale", scale)?;
        Ok(Self { scale, ..self })
    }

    pub(super) fn normalized(self, mean: f64, std: f64) -> Result<Self, DataError> {
        if !mean.is_finite() {
            return Err(DataError::argument("mean", "a finite number", mean));
        }
        let std = positive("std", std)?;
        Ok(Self { mean, std, ..self })
    }

    /// What each pixel becomes. A pixel has 256 values: a table is computed in f64, so that 255/255 is
    /// 1 and not nearly 1, and costs nothing beside the batch.
    pub(super) fn table(&self) -> [f32; 256] {
        std::array::from_fn(|p| ((p as f64 * self.scale - self.mean) / self.std) as f32)
    }

    /// Mean and standard deviation of scaled pixels, by how often each value occurs.
    pub(super) fn moments(&self, counts: &[u64; 256]) -> (f64, f64) {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let average = |f: &dyn Fn(f64) -> f64| {
            let sum: f64 = (0u8..=255)
                .zip(counts)
                .map(|(pixel, &count)| f(f64::from(pixel) * self.scale) * count as f64)
                .sum();
            sum / total
        };
        let mean = average(&|value| value);
        (mean, average(&|value| (value - mean).powi(2)).sqrt())
    }
}

/// How often each value occurs: exact in integers, and 256 terms of floating point in their moments
/// instead of 47 million.
pub(super) fn count(counts: &mut [u64; 256], pixels: &[u8]) {
    for &pixel in pixels {
        counts[usize::from(pixel)] += 1;
    }
}

fn positive(name: &'static str, value: f64) -> Result<f64, DataError> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    let expected = "a positive, finite number";
    Err(DataError::argument(name, expected, value))
}
