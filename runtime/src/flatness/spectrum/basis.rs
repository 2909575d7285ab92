//! Orthonormal vectors, and the dot products that decide results.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use nalgebra::DMatrix;

/// Vectors are stored this many to a block, so that a projection is a product of matrices and reads
/// them once, ..
const ROWS: usize = 16;
/// .. and cut into tiles of this length, so that all processors read.
const TILE: usize = 4096;
/// A pass that leaves less than this of a vector's length has cancelled too much to be the last
/// (Daniel, Gragg, Kaufman and Stewart 1976).
const CANCELLED: f64 = 0.7;
/// Of such passes; two are enough (Parlett 1998, section 6.9), a third costs nothing where they are.
const PASSES: usize = 3;

/// Orthonormal vectors.
pub(super) struct Basis {
    like: Tensor<1>,
    /// Tiles, vectors, entries of a tile.
    blocks: Vec<Tensor<3>>,
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
        let [tiles, tile] = self.tiles();
        let row = self.length % ROWS;
        let block = match self.blocks.pop() {
            Some(block) if row > 0 => block,
            full => {
                self.blocks.extend(full);
                let options = (&self.like.device(), self.like.dtype());
                Tensor::zeros([tiles, ROWS, tile], options)
            }
        };
        let vector = self.tiled(vector).swap_dims(1, 2);
        // In place: nobody else holds the block.
        let block = block.slice_assign([0..tiles, row..row + 1, 0..tile], vector);
        self.blocks.push(block);
        self.length += 1;
    }

    /// How many tiles a vector has, and their length.
    fn tiles(&self) -> [usize; 2] {
        let [size] = self.like.dims();
        let tile = size.clamp(1, TILE);
        [size.div_ceil(tile), tile]
    }

    /// The columns of the tiles of a vector.
    fn tiled(&self, vector: Tensor<1>) -> Tensor<3> {
        let [tiles, tile] = self.tiles();
        let [size] = vector.dims();
        let vector = match tiles * tile - size {
            0 => vector,
            rest => {
                let options = (&self.like.device(), self.like.dtype());
                Tensor::cat(vec![vector, Tensor::zeros([rest], options)], 0)
            }
        };
        vector.reshape([tiles, tile, 1])
    }

    /// The vector of these tiles.
    fn whole(&self, tiled: Tensor<3>) -> Tensor<1> {
        let [size] = self.like.dims();
        let length = tiled.shape().num_elements();
        tiled.reshape([length]).narrow(0, 0, size)
    }

    /// Takes from `vector` its part in the span, by Gram and Schmidt's method as often as it takes.
    pub(super) fn orthogonalise(&self, vector: Tensor<1>) -> Remainder {
        let mut before = norm(&vector);
        let mut columns = self.tiled(vector);
        let mut coefficients = vec![0.0; self.length];
        let mut pass = 0;
        loop {
            let mut products = Vec::with_capacity(self.blocks.len());
            for block in &self.blocks {
                let product = block.clone().matmul(columns.clone()).sum_dim(0);
                columns = columns - block.clone().transpose().matmul(product.clone());
                products.push(product);
            }
            if !products.is_empty() {
                let products = Tensor::cat(products, 1).into_data();
                for (coefficient, product) in coefficients.iter_mut().zip(products.iter::<f64>()) {
                    *coefficient += product;
                }
            }
            let norm = columns.clone().square().sum().into_scalar::<f64>().sqrt();
            pass += 1;
            let cancelled = norm <= CANCELLED * before && norm > 0.0;
            if !cancelled || pass == PASSES {
                return Remainder {
                    vector: self.whole(columns),
                    norm,
                    coefficients,
                };
            }
            before = norm;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn vectors(&self, range: Range<usize>) -> Vec<Tensor<1>> {
        let vector = |at: usize| self.row(&self.blocks[at / ROWS], at % ROWS);
        range.map(vector).collect()
    }

    /// The combinations of the vectors that the columns of `weights` say.
    pub(super) fn combine(&self, weights: &DMatrix<f64>) -> Vec<Tensor<1>> {
        let ([tiles, tile], columns) = (self.tiles(), weights.ncols());
        let options = (&self.like.device(), self.like.dtype());
        let mut combined = Tensor::zeros([tiles, columns, tile], options);
        for (at, block) in self.blocks.iter().enumerate() {
            // The last block may have rows of zeros.
            let entry = |place: usize| {
                let (column, row) = (place / ROWS, at * ROWS + place % ROWS);
                weights.get((row, column)).copied().unwrap_or(0.0)
            };
            let entries = (0..columns * ROWS).map(entry).collect::<Vec<_>>();
            let entries = TensorData::new(entries, [1, columns, ROWS]);
            let entries = Tensor::<3>::from_data(entries, options);
            combined = combined + entries.matmul(block.clone());
        }
        (0..columns).map(|at| self.row(&combined, at)).collect()
    }

    fn row(&self, block: &Tensor<3>, row: usize) -> Tensor<1> {
        self.whole(block.clone().narrow(1, row, 1))
    }
}

pub(in crate::flatness) fn dot(left: &Tensor<1>, right: &Tensor<1>) -> f64 {
    (left.clone() * right.clone()).sum().into_scalar::<f64>()
}

pub(crate) fn norm(vector: &Tensor<1>) -> f64 {
    dot(vector, vector).sqrt()
}
