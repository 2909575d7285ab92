//! Burn modules that were not declared: derivatives beyond the first are differences.

use burn::module::Module;
use burn::tensor::Tensor;

use super::problem::{Kind, Piece, Place, Problem, View};
use crate::flatness::{Approximation, FlatnessError};
use crate::tangent::Scale;

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
    view: View<'a>,
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
                batch: 0,
                number: Some(number),
                examples: examples.collect(),
                share: *count as f64 / self.examples() as f64,
            }
        });
        pieces.collect()
    }

    fn piece(&self, _: &[usize], _: f64) -> Result<Piece, FlatnessError> {
        Err(chosen())
    }

    fn has_batch_statistics(&self) -> bool {
        false
    }

    fn place<'a>(&'a self, view: View<'a>) -> Box<dyn Place + 'a> {
        Box::new(Here {
            problem: self,
            view,
            module: view.layout.at(self.module.clone(), view.weights),
        })
    }
}

fn chosen() -> FlatnessError {
    let found = "one of a module that was not declared, whose batches are fixed";
    let expected = "one from whose data set examples can be drawn: that of a declared network";
    FlatnessError::argument("objective", found, expected)
}

impl<M: Module, B: Clone, F: Fn(&M, B) -> Tensor<1>> Here<'_, M, B, F> {
    fn mean_loss(&self, module: &M, piece: &Piece) -> Result<Tensor<1>, FlatnessError> {
        let batch = piece.number.and_then(|at| self.problem.batches.get(at));
        let Some((batch, _)) = batch else {
            return Err(chosen());
        };
        let loss = (self.problem.loss)(module, batch.clone());
        match loss.dims() {
            [1] => Ok(loss),
            [found] => {
                let expected = "one number for a batch, the mean over its examples";
                let found = format!("{found} numbers");
                Err(FlatnessError::argument("loss", found, expected))
            }
        }
    }

    fn slope(&self, module: &M, piece: &Piece) -> Result<[Tensor<1>; 2], FlatnessError> {
        let loss = self.mean_loss(module, piece)?;
        let gradient = self.view.layout.gradient(module, &loss);
        Ok([loss.inner(), gradient])
    }
}

impl<M: Module, B: Clone, F: Fn(&M, B) -> Tensor<1>> Place for Here<'_, M, B, F> {
    fn loss(&self, piece: &Piece) -> Result<Tensor<1>, FlatnessError> {
        Ok(self.mean_loss(&self.module, piece)?.inner())
    }

    fn gradient(&self, piece: &Piece) -> Result<[Tensor<1>; 2], FlatnessError> {
        self.slope(&self.module, piece)
    }

    /// `(∇L(w + h v) - ∇L(w - h v)) / 2h`, with `h` as for the [difference](Scale::step) of a layer.
    fn products(&self, kind: Kind, piece: &Piece) -> Result<Vec<Tensor<1>>, FlatnessError> {
        if kind != Kind::Hessian {
            return Err(FlatnessError::Undeclared);
        }
        let View {
            layout, vectors, ..
        } = self.view;
        let weights = layout.weights(&self.module);
        let products = vectors.iter().map(|vector| {
            let Some(h) = Scale::of(&weights, vector).step() else {
                return Ok(vector.clone());
            };
            let at = |h: f64| {
                let there = weights.clone() + vector.clone() * h;
                let module = layout.at(self.module.clone(), Some((layout, &there)));
                self.slope(&module, piece)
            };
            let ([_, plus], [_, minus]) = (at(h)?, at(-h)?);
            Ok((plus - minus) * (0.5 / h))
        });
        products.collect()
    }

    fn approximations(&self) -> Vec<Approximation> {
        vec![Approximation::Gradients]
    }
}
