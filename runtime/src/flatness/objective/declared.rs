//! Networks that carry derivatives.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::{Device, Int, Tensor};

use super::problem::{Kind, Piece, Place, Problem, View};
use crate::data::{Source, Target, checked};
use crate::flatness::{Approximation, FlatnessError};
use crate::model::{Batch, Model, Upload};
use crate::tangent::{Lift, Pass, Values};

/// A declared network on a data set.
pub(super) struct Declared<'a, M: Model> {
    /// On a device that differentiates; only what is not frozen goes by a batch's statistics.
    model: M,
    /// In inference.
    frozen: M,
    feed: Feed<'a, M>,
    device: Device,
    kept: RefCell<Kept<M>>,
}

/// Pieces of all examples that were read, by their number: what fits.
struct Kept<M: Model> {
    /// What they were cut into.
    batch: usize,
    pieces: BTreeMap<usize, Batch<M>>,
    bytes: usize,
}

/// How many bytes of examples stay on the device between two passes.
const KEPT: usize = 256 << 20;

/// Where its batches come from.
pub(super) enum Feed<'a, M: Model> {
    Source(&'a dyn Source),
    /// Batches of one size, which stand for an example each.
    Batches(Vec<Batch<M>>),
}

struct Here<'a, M: Model> {
    problem: &'a Declared<'a, M>,
    view: View<'a>,
    model: M,
    /// The same on a device that keeps nothing to differentiate by, once a loss was asked for.
    still: OnceCell<M>,
    directions: Vec<M>,
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

    fn has_batch_statistics(&self) -> bool {
        true
    }

    fn place<'a>(&'a self, view: View<'a>) -> Box<dyn Place + 'a> {
        let model = match view.batch_statistics {
            true => &self.model,
            false => &self.frozen,
        };
        let directions = view.vectors.iter();
        Box::new(Here {
            problem: self,
            model: view.layout.at(model.clone(), view.weights),
            still: OnceCell::new(),
            directions: directions
                .map(|vector| view.layout.direction(model, vector))
                .collect(),
            view,
            differences: RefCell::default(),
        })
    }
}

impl<'a, M: Model> Declared<'a, M> {
    pub fn new(model: M, feed: Feed<'a, M>, device: Device) -> Self {
        Declared {
            frozen: model.clone().freeze(),
            model,
            feed,
            device,
            kept: RefCell::new(Kept::of(0)),
        }
    }

    fn batch(&self, piece: &Piece) -> Result<Batch<M>, FlatnessError> {
        let source = match &self.feed {
            Feed::Source(source) => *source,
            Feed::Batches(batches) => return Ok(batches[piece.examples[0]].clone()),
        };
        let upload = || -> Result<_, FlatnessError> {
            let examples = checked(source, &piece.examples)?;
            let tensors = examples.inputs.iter().chain(&examples.targets);
            let bytes: usize = tensors.map(|data| data.as_bytes().len()).sum();
            Ok((Batch::upload(examples, &self.device)?, bytes))
        };
        let Some(number) = piece.number else {
            return Ok(upload()?.0);
        };
        if self.kept.borrow().batch != piece.batch {
            *self.kept.borrow_mut() = Kept::of(piece.batch);
        }
        if let Some(batch) = self.kept.borrow().pieces.get(&number) {
            return Ok(batch.clone());
        }
        let (batch, bytes) = upload()?;
        let mut kept = self.kept.borrow_mut();
        if kept.bytes + bytes <= KEPT {
            kept.bytes += bytes;
            kept.pieces.insert(number, batch.clone());
        }
        Ok(batch)
    }
}

impl<M: Model> Kept<M> {
    fn of(batch: usize) -> Self {
        Kept {
            batch,
            pieces: BTreeMap::new(),
            bytes: 0,
        }
    }
}

impl<M: Model> Here<'_, M> {
    fn pass(&self) -> Pass {
        match self.view.batch_statistics {
            true => Pass::with_batch_statistics(),
            false => Pass::new(),
        }
    }

    /// The network, and the piece, where nothing is differentiated.
    fn still(&self, piece: &Piece) -> Result<(&M, Batch<M>), FlatnessError> {
        let Batch { input, target } = self.problem.batch(piece)?;
        let (input, target) = (input.inner(), target.inner());
        let model = self.still.get_or_init(|| self.model.valid());
        Ok((model, Batch { input, target }))
    }

    fn mean_loss(&self, model: &M, batch: Batch<M>) -> Tensor<1> {
        let Batch { input, target } = batch;
        if self.view.batch_statistics {
            let output = model.tangent(None, input, &mut self.pass());
            model.loss_tangent(output, target).value
        } else {
            model.loss(model.forward(input), target)
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
        let (slope, weigh) = match kind {
            Kind::Fisher => {
                let constant = <M::Output as Lift>::values(&leaf).lift();
                (self.model.loss_tangent(constant, target).value, true)
            }
            _ => (
                self.model.loss_tangent(leaf.clone(), target).tangent?,
                false,
            ),
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
        let (model, batch) = self.still(piece)?;
        Ok(self.mean_loss(model, batch))
    }

    fn score(&self, piece: &Piece) -> Result<(Tensor<1>, Option<Tensor<1, Int>>), FlatnessError> {
        if self.view.batch_statistics {
            return self.loss(piece).map(|loss| (loss, None));
        }
        let (model, Batch { input, target }) = self.still(piece)?;
        let output = model.forward(input);
        let right = model.correct(output.clone(), target.clone());
        Ok((model.loss(output, target), right))
    }

    fn gradient(&self, piece: &Piece) -> Result<[Tensor<1>; 2], FlatnessError> {
        let loss = self.mean_loss(&self.model, self.problem.batch(piece)?);
        let gradient = self.view.layout.gradient(&self.model, &loss);
        Ok([loss.inner(), gradient])
    }

    fn products(&self, kind: Kind, piece: &Piece) -> Result<Vec<Tensor<1>>, FlatnessError> {
        let batch = self.problem.batch(piece)?;
        let View { layout, .. } = self.view;
        let products = self.directions.iter().map(|direction| {
            match self.product(kind, batch.clone(), direction) {
                Some(slope) => layout.gradient(&self.model, &slope),
                // A loss that does not change along the direction.
                None => layout.zeros(),
            }
        });
        Ok(products.collect())
    }

    fn approximations(&self) -> Vec<Approximation> {
        let layers = self.differences.borrow();
        layers.iter().cloned().map(Approximation::Layer).collect()
    }
}
