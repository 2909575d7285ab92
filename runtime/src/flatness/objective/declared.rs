//! Networks that carry derivatives.

use std::cell::RefCell;
use std::collections::BTreeSet;

use burn::tensor::{Device, Int, Tensor};

use super::layout::Layout;
use super::problem::{Kind, Piece, Place, Problem};
use crate::data::{Source, Target, checked};
use crate::flatness::{Approximation, FlatnessError};
use crate::model::{Batch, Model};
use crate::tangent::{Dual, Lift, Pass, Values};

/// A declared network on a data set.
pub(super) struct Declared<'a, M: Model> {
    /// In inference, but on a device that differentiates.
    pub model: M,
    pub feed: Feed<'a, M>,
    pub device: Device,
    /// The only piece, if there is one.
    pub kept: RefCell<Option<Batch<M>>>,
}

/// Where its batches come from.
pub(super) enum Feed<'a, M: Model> {
    Source(&'a dyn Source),
    /// Batches of one size, which stand for an example each.
    Batches(Vec<Batch<M>>),
}

struct Here<'a, M: Model> {
    problem: &'a Declared<'a, M>,
    layout: &'a Layout,
    model: M,
    batch_statistics: bool,
    differences: RefCell<BTreeSet<String>>,
}

impl<M: Model> Problem for Declared<'_, M> {
    fn examples(&self) -> usize {
        match &self.feed {
            Feed::Source(source) => source.len(),
            Feed::Batches(batches) => batches.len(),
        }
    }

    fn decisions(&self) -> usize {
        match &self.feed {
            Feed::Source(source) => source.targets().iter().map(Target::decisions).sum(),
            Feed::Batches(_) => 0,
        }
    }

    fn place<'a>(
        &'a self,
        layout: &'a Layout,
        weights: Option<&Tensor<1>>,
        batch_statistics: bool,
    ) -> Box<dyn Place + 'a> {
        Box::new(Here {
            problem: self,
            layout,
            model: layout.at(self.model.clone(), weights),
            batch_statistics,
            differences: RefCell::default(),
        })
    }
}

impl<M: Model> Declared<'_, M> {
    fn batch(&self, piece: &Piece) -> Result<Batch<M>, FlatnessError> {
        let source = match &self.feed {
            Feed::Source(source) => *source,
            Feed::Batches(batches) => return Ok(batches[piece.number].clone()),
        };
        let whole = piece.examples.iter().copied().eq(0..self.examples());
        if whole && let Some(batch) = &*self.kept.borrow() {
            return Ok(batch.clone());
        }
        let batch = Batch::upload(checked(source, &piece.examples)?, &self.device)?;
        if whole {
            *self.kept.borrow_mut() = Some(batch.clone());
        }
        Ok(batch)
    }
}

impl<M: Model> Here<'_, M> {
    fn pass(&self) -> Pass {
        match self.batch_statistics {
            true => Pass::with_batch_statistics(),
            false => Pass::new(),
        }
    }

    fn mean_loss(&self, batch: Batch<M>) -> Tensor<1> {
        let Batch { input, target } = batch;
        if self.batch_statistics {
            let output = self.model.tangent(None, input, &mut self.pass());
            self.model.loss_tangent(output, target).value
        } else {
            self.model.loss(self.model.forward(input), target)
        }
    }

    /// What is differentiated for the product with a direction.
    fn product(&self, kind: Kind, batch: Batch<M>, direction: &M) -> Option<Tensor<1>> {
        let Batch { input, target } = batch;
        let mut pass = self.pass();
        let dual = self.model.tangent(Some(direction), input, &mut pass);
        let noted = pass.differences().map(str::to_owned);
        self.differences.borrow_mut().extend(noted);
        let leaf = match kind {
            Kind::Hessian => return self.model.loss_tangent(dual, target).tangent,
            Kind::GaussNewton | Kind::Fisher => <M::Output as Values>::leaf(&dual),
        };
        let Dual { value, tangent } = self.model.loss_tangent(leaf.clone(), target);
        let (slope, weigh) = match kind {
            Kind::Fisher => (value, true),
            _ => (tangent?, false),
        };
        // The slope of a loss that is linear in the outputs does not depend on them.
        if !slope.is_tracked() {
            return None;
        }
        let gradients = slope.backward();
        // The mean over `n` examples has an n-th of an example's gradient, twice over.
        let weights = match weigh {
            true => {
                let slopes = <M::Output as Values>::slopes(&leaf, &gradients)?;
                let [examples] = slopes.dims();
                Some(slopes * examples as f64)
            }
            false => None,
        };
        <M::Output as Values>::pull(&dual, &leaf, &gradients, weights.as_ref())
    }
}

impl<M: Model> Place for Here<'_, M>
where
    M::Input: Lift,
{
    fn loss(&self, piece: &Piece) -> Result<Tensor<1>, FlatnessError> {
        let batch = self.problem.batch(piece)?;
        Ok(self.mean_loss(batch).inner())
    }

    fn score(&self, piece: &Piece) -> Result<(Tensor<1>, Option<Tensor<1, Int>>), FlatnessError> {
        if self.batch_statistics {
            return self.loss(piece).map(|loss| (loss, None));
        }
        let Batch { input, target } = self.problem.batch(piece)?;
        let output = self.model.forward(input);
        let right = self.model.correct(output.clone(), target.clone());
        Ok((self.model.loss(output, target).inner(), right))
    }

    fn gradient(&self, piece: &Piece) -> Result<[Tensor<1>; 2], FlatnessError> {
        let loss = self.mean_loss(self.problem.batch(piece)?);
        let gradient = self.layout.gradient(&self.model, &loss);
        Ok([loss.inner(), gradient])
    }

    fn products(
        &self,
        kind: Kind,
        piece: &Piece,
        vectors: &[Tensor<1>],
    ) -> Result<Vec<Tensor<1>>, FlatnessError> {
        let batch = self.problem.batch(piece)?;
        let products = vectors.iter().map(|vector| {
            let direction = self.layout.direction(&self.model, vector);
            match self.product(kind, batch.clone(), &direction) {
                Some(slope) => self.layout.gradient(&self.model, &slope),
                // A loss that does not change along the direction.
                None => vector.zeros_like().inner(),
            }
        });
        Ok(products.collect())
    }

    fn approximations(&self) -> Vec<Approximation> {
        let layers = self.differences.borrow();
        layers.iter().cloned().map(Approximation::Layer).collect()
    }
}
