//! Vectors drawn from a seed of their own, so that measuring disturbs no training.

use std::f64::consts::TAU;

use burn::tensor::{Tensor, TensorData};

use crate::data::SplitMix64;

/// Draws vectors like a given one. What is drawn depends on the seed alone, not on the device.
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(SplitMix64::new(seed))
    }

    /// Uniform in (0, 1].
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.unit()
    }

    /// Numbers from N(0, 1) (Box and Muller 1958), of the length, device and precision of `like`.
    pub(crate) fn normal(&mut self, like: &Tensor<1>) -> Tensor<1> {
        let mut spare = None;
        self.draw(like, |random| {
            spare.take().unwrap_or_else(|| {
                let radius = (-2.0 * random.unit().ln()).sqrt();
                let (sine, cosine) = (TAU * random.unit()).sin_cos();
                spare = Some(radius * sine);
                radius * cosine
            })
        })
    }

    /// Signs, 1 and -1 alike often (Rademacher's distribution).
    pub(crate) fn signs(&mut self, like: &Tensor<1>) -> Tensor<1> {
        let (mut bits, mut left) = (0, 0);
        self.draw(like, |random| {
            if left == 0 {
                (bits, left) = (random.0.next(), 64);
            }
            left -= 1;
            let bit = (bits >> left) & 1;
            bit as f64 * 2.0 - 1.0
        })
    }

    /// `count` different numbers below `bound`, each choice and order as likely as the others;
    /// `count` is `bound` at most.
    pub(crate) fn distinct(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..bound).collect();
        for at in 0..count {
            let other = at + self.0.below((bound - at) as u64) as usize;
            numbers.swap(at, other);
        }
        numbers.truncate(count);
        numbers
    }

    fn draw(&mut self, like: &Tensor<1>, mut next: impl FnMut(&mut Self) -> f64) -> Tensor<1> {
        let [length] = like.dims();
        let values: Vec<f64> = (0..length).map(|_| next(self)).collect();
        Tensor::from_data(
            TensorData::from(values.as_slice()),
            (&like.device(), like.dtype()),
        )
    }
}
