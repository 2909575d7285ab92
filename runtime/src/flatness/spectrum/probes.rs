//! Random vectors until an estimate is good enough.

use burn::tensor::Tensor;

use crate::flatness::{FlatnessError, Operator, Random, lengths};

/// How many probes are drawn, and from which seed.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Probes {
    pub(super) tolerance: f64,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) together: usize,
    pub(super) seed: u64,
}

impl Default for Probes {
    fn default() -> Self {
        Probes {
            tolerance: 0.05,
            least: 10,
            most: 1000,
            together: 4,
            seed: 0,
        }
    }
}

impl Probes {
    /// Refuses what cannot be.
    pub(super) fn check(&self) -> Result<(), FlatnessError> {
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            let expected = "positive and finite";
            return Err(FlatnessError::argument(
                "tolerance",
                self.tolerance,
                expected,
            ));
        }
        if self.least < 2 || self.most < self.least {
            let found = format!("{} to {}", self.least, self.most);
            let expected = "a range that begins at 2 or more and is not empty";
            return Err(FlatnessError::argument("probes", found, expected));
        }
        if self.together == 0 {
            return Err(FlatnessError::argument("together", 0, "at least 1"));
        }
        Ok(())
    }

    /// Draws probes, takes their products and shows both to `take`, which says whether the estimate
    /// is good enough; `go` says after each product whether to go on. Gives the number of probes
    /// and whether the last estimate was good enough.
    pub(super) fn run<O: Operator + ?Sized>(
        &self,
        operator: &O,
        random: &mut Random,
        mut go: impl FnMut() -> bool,
        draw: impl Fn(&mut Random) -> Tensor<1>,
        mut take: impl FnMut(Tensor<1>, Tensor<1>) -> Result<bool, FlatnessError>,
    ) -> Result<(usize, bool), FlatnessError> {
        let mut done = 0;
        while done < self.most {
            let count = self.together.min(self.most - done);
            let probes: Vec<Tensor<1>> = (0..count).map(|_| draw(random)).collect();
            let products = products(operator, &probes)?;
            let (mut enough, mut on) = (false, true);
            for (probe, product) in probes.into_iter().zip(products) {
                enough = take(probe, product)?;
                on &= go();
            }
            done += count;
            if enough && done >= self.least {
                return Ok((done, true));
            }
            if !on {
                break;
            }
        }
        Ok((done, false))
    }
}

/// The products with `vectors`, one of each.
pub(super) fn products<O: Operator + ?Sized>(
    operator: &O,
    vectors: &[Tensor<1>],
) -> Result<Vec<Tensor<1>>, FlatnessError> {
    let products = operator.products(vectors)?;
    if let Some(vector) = vectors.first() {
        lengths(vector.dims()[0], &products)?;
    }
    match products.len() == vectors.len() {
        true => Ok(products),
        false => Err(FlatnessError::Length {
            expected: vectors.len(),
            found: products.len(),
        }),
    }
}

/// The mean of numbers and its standard error, as they come (Welford 1962).
#[derive(Default)]
pub(in crate::flatness) struct Mean {
    count: usize,
    pub(in crate::flatness) mean: f64,
    squares: f64,
}

impl Mean {
    pub(in crate::flatness) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut mean = Mean::default();
        values.for_each(|value| mean.add(value));
        mean
    }

    pub(in crate::flatness) fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// Infinite after a single number.
    pub(in crate::flatness) fn standard_error(&self) -> f64 {
        match self.count {
            0 | 1 => f64::INFINITY,
            count => (self.squares / (count * (count - 1)) as f64).sqrt(),
        }
    }
}
