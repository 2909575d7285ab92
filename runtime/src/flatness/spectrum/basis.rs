//! Orthonormal vectors, and the dot products that decide results.

use burn::tensor::{Tensor, TensorData};
use nalgebra::DMatrix;

/// Vectors are stored this many to a matrix: a projection reads them once, at the memory's speed.
const ROWS: usize = 16;
/// A pass that leaves less than this of a vector's length has cancelled too much to be the last
/// (Daniel, Gragg, Kaufman and Stewart 1976).
const CANCELLED: f64 = 0.7;
/// Of such passes; two are enough (Parlett 1998, section 6.9), a third costs nothing where they are.
const PASSES: usize = 3;

/// Orthonormal vectors.
pub(super) struct Basis {
    like: Tensor<1>,
    blocks: Vec<Tensor<2>>,
    length: usize,
}

/// A vector without its part in the span of a basis.
pub(super) struct Remainder {
    pub(super) vector: Tensor<1>,
    pub(super) norm: f64,
    /// Its dot products with the basis before.
    pub(super) coefficients: Vec<f64>,
}

impl Basis {
    pub(super) fn new(like: Tensor<1>) -> Self {
        Basis {
            like,
            blocks: Vec::new(),
            length: 0,
        }
    }

    /// Adds a vector that is of length one and orthogonal to the others.
    pub(super) fn push(&mut self, vector: Tensor<1>) {
        let [size] = self.like.dims();
        let row = self.length % ROWS;
        let block = match self.blocks.pop() {
            Some(block) if row > 0 => block,
            full => {
                self.blocks.extend(full);
                Tensor::zeros([ROWS, size], (&self.like.device(), self.like.dtype()))
            }
        };
        // In place: nobody else holds the block.
        let block = block.slice_assign([row..row + 1, 0..size], vector.unsqueeze_dim(0));
        self.blocks.push(block);
        self.length += 1;
    }

    /// Takes from `vector` its part in the span, by Gram and Schmidt's method as often as it takes.
    pub(super) fn orthogonalise(&self, vector: Tensor<1>) -> Remainder {
        let mut before = norm(&vector);
        let mut column = vector.unsqueeze_dim::<2>(1);
        let mut coefficients = vec![0.0; self.length];
        let mut pass = 0;
        loop {
            let mut products = Vec::with_capacity(self.blocks.len());
            for block in &self.blocks {
                let product = block.clone().matmul(column.clone());
                column = column - block.clone().transpose().matmul(product.clone());
                products.push(product);
            }
            if !products.is_empty() {
                let products = Tensor::cat(products, 0).into_data();
                for (coefficient, product) in coefficients.iter_mut().zip(products.iter::<f64>()) {
                    *coefficient += product;
                }
            }
            let vector = column.clone().squeeze_dim(1);
            let norm = norm(&vector);
            pass += 1;
            let cancelled = norm <= CANCELLED * before && norm > 0.0;
            if !cancelled || pass == PASSES {
                return Remainder {
                    vector,
                    norm,
                    coefficients,
                };
            }
            before = norm;
        }
    }

    pub(super) fn vectors(&self) -> Vec<Tensor<1>> {
        let rows = |at: usize| row(&self.blocks[at / ROWS], at % ROWS);
        (0..self.length).map(rows).collect()
    }

    /// The combinations of the vectors that the columns of `weights` say, as rows.
    pub(super) fn combine(&self, weights: &DMatrix<f64>) -> Tensor<2> {
        let ([size], columns) = (self.like.dims(), weights.ncols());
        let options = (&self.like.device(), self.like.dtype());
        let mut combined = Tensor::zeros([columns, size], options);
        for (at, block) in self.blocks.iter().enumerate() {
            let entry = |column: usize, row: usize| {
                let row = at * ROWS + row;
                if row < weights.nrows() {
                    weights[(row, column)]
                } else {
                    0.0
                }
            };
            let entries = (0..columns * ROWS).map(|place| entry(place / ROWS, place % ROWS));
            let entries = TensorData::new(entries.collect::<Vec<_>>(), [columns, ROWS]);
            let entries = Tensor::<2>::from_data(entries, options);
            combined = combined + entries.matmul(block.clone());
        }
        combined
    }
}

/// A row of a matrix.
pub(super) fn row(matrix: &Tensor<2>, row: usize) -> Tensor<1> {
    let [_, size] = matrix.dims();
    matrix
        .clone()
        .slice([row..row + 1, 0..size])
        .reshape([size])
}

pub(super) fn dot(left: &Tensor<1>, right: &Tensor<1>) -> f64 {
    (left.clone() * right.clone()).sum().into_scalar::<f64>()
}

pub(super) fn norm(vector: &Tensor<1>) -> f64 {
    dot(vector, vector).sqrt()
}
