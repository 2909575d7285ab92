//! Lanczos' recurrence with full reorthogonalisation.

use burn::tensor::Tensor;
use nalgebra::{DMatrix, SymmetricEigen};

use super::basis::{Basis, Remainder, dot, norm};
use crate::flatness::{FlatnessError, Operator, Random, lengths};

/// What a product and the work around it lose, in units of a product's own error.
const ROUNDING: f64 = 10.0;
/// The error of an eigenvalue, in units of the products' asymmetry: a matrix of random errors in
/// few dimensions moves an eigenvalue by some times what one of its columns shows.
const NOISE: f64 = 4.0;

/// An orthonormal basis V of a Krylov space of an operator A, and VᵀAV.
///
/// Of the basis, the first `kept` vectors are Ritz vectors of earlier spaces.
pub(super) struct Recurrence<'a, O: ?Sized> {
    operator: &'a O,
    random: Random,
    basis: Basis,
    /// The last of the basis, whose product is to come.
    current: Tensor<1>,
    /// The one before and the product of the operator between the two.
    previous: Option<(Tensor<1>, f64)>,
    /// What remains of the last product, orthogonal to the basis.
    remainder: Option<(Tensor<1>, f64)>,
    /// VᵀAV, its upper triangle by columns.
    columns: Vec<Vec<f64>>,
    kept: usize,
    /// Of the kept vectors, what their products have outside of this space and the remainder.
    lost: Vec<f64>,
    /// The longest that a product was along vectors on which a symmetric matrix has none of it.
    asymmetry: f64,
    /// The largest absolute Ritz value so far.
    norm: f64,
    epsilon: f64,
    /// The error of a product, in units of the operator's norm.
    precision: f64,
    products: usize,
}

/// The eigenvalues of VᵀAV, ascending, and what is known of A by them.
pub(super) struct Ritz {
    pub(super) values: Vec<f64>,
    /// In columns.
    pub(super) vectors: DMatrix<f64>,
    /// |A y - θ y| of each Ritz vector y and value θ, without rounding.
    pub(super) residuals: Vec<f64>,
}

impl<'a, O: Operator + ?Sized> Recurrence<'a, O> {
    pub(super) fn new(operator: &'a O, seed: u64) -> Result<Self, FlatnessError> {
        let zeros = operator.zeros();
        if zeros.dims() == [0] {
            let expected = "an operator on vectors that are not empty";
            return Err(FlatnessError::argument(
                "operator",
                "one of size 0",
                expected,
            ));
        }
        let mut recurrence = Recurrence {
            operator,
            random: Random::new(seed),
            basis: Basis::new(zeros.clone()),
            epsilon: epsilon(&zeros),
            precision: 0.0,
            current: zeros,
            previous: None,
            remainder: None,
            columns: Vec::new(),
            kept: 0,
            lost: Vec::new(),
            asymmetry: 0.0,
            norm: 0.0,
            products: 0,
        };
        recurrence.refresh()?;
        Ok(recurrence)
    }

    /// The vectors whose products are taken.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn products(&self) -> usize {
        self.products
    }

    /// The largest absolute eigenvalue, as far as it is known.
    pub(super) fn norm(&self) -> f64 {
        self.norm
    }

    /// The uncertainty of an eigenvalue by rounding, were the products as exact as can be.
    pub(super) fn rounding(&self) -> f64 {
        self.precision * self.norm
    }

    /// The uncertainty of an eigenvalue by what is wrong with the products.
    pub(super) fn noise(&self) -> f64 {
        self.rounding().max(NOISE * self.asymmetry)
    }

    /// Whether the space is invariant: its Ritz pairs are exact, and it goes on with a vector that
    /// has nothing to do with those before.
    pub(super) fn invariant(&self) -> bool {
        let beta = self.remainder.as_ref().map_or(0.0, |(_, beta)| *beta);
        beta <= self.rounding()
    }

    /// Takes the product with the last vector.
    pub(super) fn step(&mut self) -> Result<(), FlatnessError> {
        let product = self.operator.product(&self.current)?;
        lengths(self.current.dims()[0], std::slice::from_ref(&product))?;
        self.products += 1;
        self.precision = precision(self.operator, self.epsilon);
        let last = self.len();
        let alpha = dot(&self.current, &product);
        // Nothing but rounding is left in the span after these two, so that one pass is enough.
        let mut product = product - self.current.clone() * alpha;
        let mut column = vec![0.0; last + 1];
        if let Some((previous, beta)) = &self.previous {
            product = product - previous.clone() * *beta;
            column[last - 1] = *beta;
        }
        let Remainder {
            vector,
            norm,
            coefficients,
        } = self.basis.orthogonalise(product);
        if !alpha.is_finite() || !norm.is_finite() {
            return Err(FlatnessError::NonFinite {
                what: format!("product {} with the operator", self.products),
            });
        }
        let stray = coefficients[self.kept..last].iter();
        let stray = stray.map(|part| part * part).sum::<f64>().sqrt();
        self.asymmetry = self.asymmetry.max(stray);
        column[last] = alpha + coefficients[last];
        column[..self.kept].copy_from_slice(&coefficients[..self.kept]);
        self.norm = self.norm.max(column[last].abs());
        self.columns.push(column);
        self.remainder = Some((vector, norm));
        Ok(())
    }

    /// Goes on to the next vector.
    pub(super) fn advance(&mut self) -> Result<(), FlatnessError> {
        match self.remainder.take() {
            Some((vector, beta)) if beta > self.rounding() => {
                let previous = std::mem::replace(&mut self.current, vector / beta);
                self.previous = (self.len() > self.kept).then_some((previous, beta));
                self.basis.push(self.current.clone());
                Ok(())
            }
            _ => self.refresh(),
        }
    }

    /// Goes on with a random vector that is orthogonal to the others.
    fn refresh(&mut self) -> Result<(), FlatnessError> {
        let drawn = self.random.normal(&self.current);
        let remainder = self.basis.orthogonalise(drawn);
        if remainder.norm > 0.0 {
            self.current = remainder.vector / remainder.norm;
        }
        self.previous = None;
        self.basis.push(self.current.clone());
        Ok(())
    }

    /// The eigenvalues of VᵀAV without its first `from` rows and columns.
    pub(super) fn ritz(&mut self, from: usize) -> Result<Ritz, FlatnessError> {
        let size = self.len() - from;
        let eigen = SymmetricEigen::try_new(
            self.projection(from),
            f64::EPSILON,
            // Three a value are usual.
            1000 * size,
        );
        let eigen = eigen.ok_or_else(|| FlatnessError::NonFinite {
            what: "an eigenvalue of the operator in the space of its products".to_owned(),
        })?;
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*a].total_cmp(&eigen.eigenvalues[*b]));
        let values: Vec<f64> = order.iter().map(|at| eigen.eigenvalues[*at]).collect();
        let vectors = eigen.eigenvectors.select_columns(&order);
        for value in &values {
            self.norm = self.norm.max(value.abs());
        }
        let beta = self.remainder.as_ref().map_or(0.0, |(_, beta)| *beta);
        let residuals = vectors.column_iter().map(|vector| {
            let lost = self.lost.iter().skip(from).zip(vector.iter());
            let lost: f64 = lost.map(|(lost, weight)| lost * weight.abs()).sum();
            beta * vector[size - 1].abs() + lost
        });
        let residuals = residuals.collect();
        Ok(Ritz {
            values,
            vectors,
            residuals,
        })
    }

    /// The vectors that `weights` combine of the basis.
    pub(super) fn combine(&self, weights: &DMatrix<f64>) -> Vec<Tensor<1>> {
        self.basis.combine(weights)
    }

    /// Keeps the Ritz pairs at `kept` and goes on with a random vector.
    pub(super) fn lock(&mut self, ritz: &Ritz, kept: &[usize]) -> Result<(), FlatnessError> {
        self.keep(&ritz.vectors.select_columns(kept));
        self.lost = kept.iter().map(|at| ritz.residuals[*at]).collect();
        self.remainder = None;
        self.refresh()
    }

    /// Keeps the first `locked` vectors and, of the space behind them, the Ritz pairs at `kept`,
    /// and goes on where the recurrence was (Wu and Simon 2000).
    pub(super) fn restart(
        &mut self,
        locked: usize,
        ritz: &Ritz,
        kept: &[usize],
    ) -> Result<(), FlatnessError> {
        let mut weights = DMatrix::zeros(self.len(), locked + kept.len());
        for at in 0..locked {
            weights[(at, at)] = 1.0;
        }
        for (column, at) in kept.iter().enumerate() {
            let vector = ritz.vectors.column(*at);
            let mut place = weights.view_mut((locked, locked + column), (vector.len(), 1));
            place.copy_from(&vector);
        }
        self.keep(&weights);
        self.lost.resize(locked + kept.len(), 0.0);
        self.advance()
    }

    fn keep(&mut self, weights: &DMatrix<f64>) {
        let vectors = self.combine(weights);
        self.kept = vectors.len();
        self.basis = Basis::new(self.current.zeros_like());
        for vector in vectors {
            let norm = norm(&vector);
            self.basis.push(vector / norm);
        }
        let projection = weights.transpose() * self.projection(0) * weights;
        let columns = projection.column_iter().enumerate();
        let columns = columns.map(|(at, column)| column.iter().take(at + 1).copied().collect());
        self.columns = columns.collect();
    }

    /// VᵀAV without its first `from` rows and columns.
    fn projection(&self, from: usize) -> DMatrix<f64> {
        let size = self.len() - from;
        DMatrix::from_fn(size, size, |row, column| {
            self.columns[row.max(column) + from][row.min(column) + from]
        })
    }
}

/// What the products that were taken, and the work around them, lose in numbers of this precision,
/// in units of the operator's norm: some times the precision, or the error of the best central
/// difference.
pub(in crate::flatness) fn precision<O: Operator + ?Sized>(operator: &O, epsilon: f64) -> f64 {
    ROUNDING
        * match operator.approximations().is_empty() {
            true => epsilon,
            false => epsilon.powf(2.0 / 3.0),
        }
}

/// The precision of the tensor's numbers.
pub(in crate::flatness) fn epsilon(tensor: &Tensor<1>) -> f64 {
    let info = tensor.dtype().finfo();
    info.map_or(f64::from(f32::EPSILON), |info| info.epsilon)
}
