//! Matrices with spectra that are known, and operators that count.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{DType, Device, Tensor, TensorData};
use kiln::flatness::{FlatnessError, Matrix, Operator, Watch};

pub fn device() -> Device {
    kiln::device::default_device().unwrap()
}

/// Single precision and, where the device has it, double, with what is asked of each.
pub fn precisions() -> Vec<(DType, f64)> {
    match kiln::device::name(&device()).as_str() {
        // It says that it has double precision over Mesa.
        "wgpu" => vec![(DType::F32, 1e-4)],
        _ => vec![(DType::F32, 1e-4), (DType::F64, 1e-8)],
    }
}

/// Q diag(λ) Q, Q the sine transform, which is orthogonal, symmetric and nowhere zero.
pub struct Known {
    /// Ascending.
    pub eigenvalues: Vec<f64>,
    pub entries: Vec<Vec<f64>>,
}

impl Known {
    pub fn new(mut eigenvalues: Vec<f64>) -> Self {
        let size = eigenvalues.len();
        // In an order that leaves no band of the matrix larger than the others.
        eigenvalues.sort_by(f64::total_cmp);
        let mut shuffled: Vec<usize> = (0..size).collect();
        shuffled.sort_by_key(|at| (at + 1) * 7919 % 1009);
        let scale = (2.0 / (size + 1) as f64).sqrt();
        let sine = |row: usize, column: usize| {
            let turns = (row + 1) * (column + 1) % (2 * size + 2);
            scale * (std::f64::consts::PI * turns as f64 / (size + 1) as f64).sin()
        };
        let sines = |row: usize| (0..size).map(|column| sine(row, column)).collect();
        let sines: Vec<Vec<f64>> = (0..size).map(sines).collect();
        let mut entries = vec![vec![0.0; size]; size];
        for row in 0..size {
            let scaled = (0..size).map(|at| sines[row][at] * eigenvalues[shuffled[at]]);
            let scaled: Vec<f64> = scaled.collect();
            for column in 0..=row {
                entries[row][column] = dot(&scaled, &sines[column]);
                entries[column][row] = entries[row][column];
            }
        }
        Known {
            eigenvalues,
            entries,
        }
    }

    pub fn norm(&self) -> f64 {
        self.eigenvalues
            .iter()
            .fold(0.0, |norm, value| norm.max(value.abs()))
    }

    pub fn trace(&self) -> f64 {
        self.eigenvalues.iter().sum()
    }

    /// |A|² - Σ a_ii² and |A|².
    pub fn squares(&self) -> (f64, f64) {
        let all: f64 = self.eigenvalues.iter().map(|value| value * value).sum();
        let diagonal = self
            .entries
            .iter()
            .enumerate()
            .map(|(at, row)| row[at] * row[at]);
        (all - diagonal.sum::<f64>(), all)
    }

    pub fn operator(&self, dtype: DType) -> Counted {
        let size = self.eigenvalues.len();
        let data = TensorData::new(self.entries.concat(), [size, size]);
        let matrix = Tensor::from_data(data, (&device(), dtype));
        Counted {
            matrix: Matrix::new(matrix).unwrap(),
            products: Cell::new(0),
            stop: Arc::new(AtomicBool::new(false)),
            stop_after: usize::MAX,
            poison_after: usize::MAX,
        }
    }

    /// |A y - θ y|, in double precision.
    pub fn residual(&self, value: f64, vector: &[f64]) -> f64 {
        let rows = self.entries.iter().zip(vector);
        let squares = rows.map(|(row, entry)| (dot(row, vector) - value * entry).powi(2));
        squares.sum::<f64>().sqrt()
    }
}

pub fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

pub fn values(vector: &Tensor<1>) -> Vec<f64> {
    vector.to_data().iter::<f64>().collect()
}

/// Counts its products, asks to stop after some and poisons those after others.
pub struct Counted {
    pub matrix: Matrix,
    pub products: Cell<usize>,
    pub stop: Arc<AtomicBool>,
    pub stop_after: usize,
    pub poison_after: usize,
}

impl Operator for Counted {
    fn zeros(&self) -> Tensor<1> {
        self.matrix.zeros()
    }

    fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError> {
        let mut products = self.matrix.products(vectors)?;
        for product in &mut products {
            self.products.set(self.products.get() + 1);
            if self.products.get() > self.poison_after {
                *product = product.clone() * f64::NAN;
            }
            if self.products.get() >= self.stop_after {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(products)
    }

    fn watch(&self) -> Watch {
        Watch::silent().stop_when(self.stop.clone())
    }
}

/// Whose products are off by a random vector, of this share of their length.
pub struct Noisy {
    pub matrix: Matrix,
    pub share: f64,
    pub state: RefCell<u64>,
}

impl Operator for Noisy {
    fn zeros(&self) -> Tensor<1> {
        self.matrix.zeros()
    }

    fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError> {
        let products = self.matrix.products(vectors)?.into_iter();
        Ok(products.map(|product| self.disturb(product)).collect())
    }
}

impl Noisy {
    fn disturb(&self, product: Tensor<1>) -> Tensor<1> {
        let mut state = self.state.borrow_mut();
        let mut uniform = || {
            // The constants of Knuth's MMIX.
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) as f64 / (1u64 << 30) as f64 - 1.0
        };
        let product_values = values(&product);
        let noise: Vec<f64> = product_values.iter().map(|_| uniform()).collect();
        let length = |vector: &[f64]| dot(vector, vector).sqrt();
        let scale = self.share * length(&product_values) / length(&noise);
        let noise = noise.iter().map(|noise| scale * noise);
        let disturbed = product_values.iter().zip(noise).map(|(a, b)| a + b);
        let disturbed = TensorData::from(disturbed.collect::<Vec<f64>>().as_slice());
        Tensor::from_data(disturbed, (&product.device(), product.dtype()))
    }
}
