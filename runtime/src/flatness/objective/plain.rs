//! Burn modules that were not declared: derivatives beyond the first are differences.

use burn::module::Module;
use burn::tensor::{DType, Tensor};

use super::layout::Layout;
use super::problem::{Kind, Piece, Place, Problem};
use crate::flatness::{Approximation, FlatnessError};

/// A module with batches and a loss.
pub(super) struct Plain<M, B, F> {
    /// In inference, but on a device that differentiates.
    pub module: M,
    /// Each with the number of its examples.
    pub batches: Vec<(B, usize)>,
    pub loss: F,
}

struct Here<'a, M, B, F> {
    problem: &'a Plain<M, B, F>,
    layout: &'a Layout,
    module: M,
}

impl<M: Module, B: Clone, F: Fn(&M, B) -> Tensor<1>> Problem for Plain<M, B, F> {
    fn examples(&self) -> usize {
        self.batches.iter().map(|(_, examples)| examples).sum()
    }

    fn pieces(&self, _: usize) -> Vec<Piece> {
        let mut start = 0;
        let pieces = self.batches.iter().enumerate();
        let pieces = pieces.map(|(number, (_, count))| {
            let examples = start..start + count;
            start += count;
            Piece {
                number,
                examples: examples.collect(),
                share: *count as f64 / self.examples() as f64,
            }
        });
        pieces.collect()
    }

    fn piece(&self, _: &[usize], _: f64) -> Result<Piece, FlatnessError> {
        let found = "one of a module that was not declared, whose batches are fixed";
        let expected = "one from whose data set examples can be drawn: that of a declared network";
        Err(FlatnessError::argument("objective", found, expected))
    }

    fn place<'a>(
        &'a self,
        layout: &'a Layout,
        weights: Option<&Tensor<1>>,
        _: bool,
    ) -> Box<dyn Place + 'a> {
        Box::new(Here {
            problem: self,
            layout,
            module: layout.at(self.module.clone(), weights),
        })
    }
}

impl<M: Module, B: Clone, F: Fn(&M, B) -> Tensor<1>> Here<'_, M, B, F> {
    fn mean_loss(&self, module: &M, piece: &Piece) -> Tensor<1> {
        let (batch, _) = &self.problem.batches[piece.number];
        (self.problem.loss)(module, batch.clone())
    }

    fn slope(&self, module: &M, piece: &Piece) -> [Tensor<1>; 2] {
        let loss = self.mean_loss(module, piece);
        let gradient = self.layout.gradient(module, &loss);
        [loss.inner(), gradient]
    }
}

impl<M: Module, B: Clone, F: Fn(&M, B) -> Tensor<1>> Place for Here<'_, M, B, F> {
    fn loss(&self, piece: &Piece) -> Result<Tensor<1>, FlatnessError> {
        Ok(self.mean_loss(&self.module, piece).inner())
    }

    fn gradient(&self, piece: &Piece) -> Result<[Tensor<1>; 2], FlatnessError> {
        Ok(self.slope(&self.module, piece))
    }

    /// `(∇L(w + h v) - ∇L(w - h v)) / 2h`, with `h` as for the difference of a layer: `ε^(1/3)` of
    /// the length of the weights.
    fn products(
        &self,
        kind: Kind,
        piece: &Piece,
        vectors: &[Tensor<1>],
    ) -> Result<Vec<Tensor<1>>, FlatnessError> {
        if kind != Kind::Hessian {
            return Err(FlatnessError::Undeclared);
        }
        let weights = self.layout.weights(&self.module);
        let epsilon: f64 = match self.layout.dtype {
            DType::F64 => f64::EPSILON,
            _ => f32::EPSILON.into(),
        };
        let length = |vector: &Tensor<1>| vector.clone().square().sum().into_scalar::<f64>().sqrt();
        let size = length(&weights).max(1e-3);
        let products = vectors.iter().map(|vector| {
            let vector = vector.clone().inner();
            let norm = length(&vector);
            if norm == 0.0 {
                return vector;
            }
            let h = epsilon.cbrt() * size / norm;
            let [plus, minus] = [h, -h].map(|h| {
                let there = weights.clone() + vector.clone() * h;
                let module = self.layout.at(self.module.clone(), Some(&there));
                let [_, gradient] = self.slope(&module, piece);
                gradient
            });
            (plus - minus) * (0.5 / h)
        });
        Ok(products.collect())
    }

    fn approximations(&self) -> Vec<Approximation> {
        vec![Approximation::Gradients]
    }
}
