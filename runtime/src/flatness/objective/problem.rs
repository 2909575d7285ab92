//! What an objective is the loss of: a network and examples, whatever their types.

use burn::tensor::{Int, Tensor};

use super::layout::Layout;
use crate::flatness::{Approximation, FlatnessError};

/// A piece of the examples, which goes through the network at once.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// The batch that all examples were cut into, and its number among the pieces; none if its
    /// examples were chosen one by one.
    pub batch: usize,
    pub number: Option<usize>,
    /// Its examples.
    pub examples: Vec<usize>,
    /// Its share of all examples.
    pub share: f64,
}

/// The matrix of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hessian,
    GaussNewton,
    Fisher,
}

/// A network and examples.
pub(super) trait Problem {
    /// How many examples there are.
    fn examples(&self) -> usize;

    /// The examples in pieces of `batch` at most, in their order.
    fn pieces(&self, batch: usize) -> Vec<Piece> {
        let examples = self.examples();
        let starts = (0..examples).step_by(batch.max(1)).enumerate();
        let pieces = starts.map(|(number, start)| {
            let end = examples.min(start + batch);
            Piece {
                batch,
                number: Some(number),
                examples: (start..end).collect(),
                share: (end - start) as f64 / examples as f64,
            }
        });
        pieces.collect()
    }

    /// Of examples that were chosen one by one.
    fn piece(&self, examples: &[usize], share: f64) -> Result<Piece, FlatnessError> {
        Ok(Piece {
            batch: 0,
            number: None,
            examples: examples.to_vec(),
            share,
        })
    }

    /// How many classes of an example can be right or wrong.
    fn decisions(&self) -> usize {
        0
    }

    /// Whether it can be run with the statistics of its batches.
    fn has_batch_statistics(&self) -> bool;

    /// The network as `view` says.
    fn place<'a>(&'a self, view: View<'a>) -> Box<dyn Place + 'a>;
}

/// What of a network is looked at, and where.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// The parameters.
    pub layout: &'a Layout,
    /// The numbers of all that training moves, if they are not the network's own.
    pub weights: Option<(&'a Layout, &'a Tensor<1>)>,
    pub batch_statistics: bool,
    /// The vectors of the products.
    pub vectors: &'a [Tensor<1>],
}

/// A network at one place of the loss surface.
pub(super) trait Place {
    /// The mean loss of a piece.
    fn loss(&self, piece: &Piece) -> Result<Tensor<1>, FlatnessError>;

    /// The mean loss of a piece, and how many of its classes are right where the loss knows.
    fn score(&self, piece: &Piece) -> Result<(Tensor<1>, Option<Tensor<1, Int>>), FlatnessError> {
        self.loss(piece).map(|loss| (loss, None))
    }

    /// The mean loss of a piece and its gradient.
    fn gradient(&self, piece: &Piece) -> Result<[Tensor<1>; 2], FlatnessError>;

    /// The products of the piece's matrix with the view's vectors.
    fn products(&self, kind: Kind, piece: &Piece) -> Result<Vec<Tensor<1>>, FlatnessError>;

    /// What of the products so far was no exact derivative.
    fn approximations(&self) -> Vec<Approximation>;
}
