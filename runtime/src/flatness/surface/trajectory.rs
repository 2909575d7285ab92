//! The plane in which a training moved.

use burn::tensor::{Tensor, TensorData};
use nalgebra::{DMatrix, SymmetricEigen};

use super::{Plane, Surface, finite};
use crate::flatness::spectrum::{dot, norm};
use crate::flatness::{FlatnessError, Objective, brought, lengths};

/// The plane in which a training moved: through the last weights, along the first two principal
/// components of the snapshots w_0, .., w_T (Li et al. 2018, section 7), which hold as much of
/// their variance about their mean as a plane can.
///
/// A snapshot is a network's weights as an [`Objective`] has them, without the running statistics of
/// `batch_norm`: those are the objective's over the whole surface, and belong to its own weights
/// alone. [`with_batch_statistics`](Objective::with_batch_statistics) needs none. What a training
/// [measures](crate::train::Trainer::measure) on its way sees them and can keep them:
///
/// ```
/// use std::cell::RefCell;
///
/// use kiln::data::digits;
/// use kiln::flatness::{Objective, Trajectory};
/// use kiln::prelude::*;
/// use kiln::train::Every;
///
/// model! {
///     struct Net;
///     input image: [1, 8, 8];
///     let scores = image -> flatten -> linear(10);
///     output scores;
///     loss cross_entropy;
/// }
/// optimizer! {
///     struct Momentum {}
///     update sgd(momentum: 0.9);
/// }
/// schedule! {
///     struct Constant {}
///     peak 0.02;
///     constant;
/// }
///
/// let device = default_device()?;
/// let model = NetConfig::new().init(&device)?;
/// let data = digits()?;
/// let snapshots = RefCell::new(vec![Objective::new(&model, &data)?.weights()]);
/// let trained = Trainer::new(model, Momentum::new(), Constant::new())
///     .epochs(4)
///     .quiet()
///     .measure("snapshots", Every::Epochs(1), &data, |objective| {
///         let mut snapshots = snapshots.borrow_mut();
///         snapshots.push(objective.weights());
///         Ok(snapshots.len() as f64)
///     })
///     .fit(digits()?)?;
///
/// let trajectory = Trajectory::new(&snapshots.borrow())?.points(5);
/// let objective = Objective::new(&trained.model, &data)?;
/// let surface = trajectory.run(&objective)?;
/// assert_eq!(surface.path.len(), 5);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trajectory {
    /// The principal components, of length 1.
    pub directions: [Tensor<1>; 2],
    /// The places of the snapshots in the plane, the last one's being `[0, 0]`. What a snapshot has
    /// beside the plane is not seen.
    pub path: Vec<[f64; 2]>,
    /// The shares of the snapshots' variance along the two directions.
    pub explained: [f64; 2],
    last: Tensor<1>,
    points: usize,
    margin: f64,
}

impl Trajectory {
    /// Finds the plane of `snapshots`, in the order of the training. The first lies on the positive
    /// side of the last, both ways.
    ///
    /// # Errors
    ///
    /// Fewer than three snapshots, of different lengths, not finite, or on one line, which
    /// [`Slice::between`](super::Slice::between) looks along.
    pub fn new(snapshots: &[Tensor<1>]) -> Result<Self, FlatnessError> {
        let refuse = |found: String| {
            let expected = "at least three that do not lie on one line";
            Err(FlatnessError::argument("snapshots", found, expected))
        };
        let Some(last) = snapshots.last() else {
            return refuse("0".into());
        };
        lengths(last.dims()[0], snapshots)?;
        let like = (last.clone().inner().device(), last.dtype());
        let brought = snapshots.iter().map(|one| brought(one, &like.0, like.1));
        let snapshots: Vec<_> = brought.collect();
        let [first, .., last] = snapshots.as_slice() else {
            return refuse(snapshots.len().to_string());
        };
        for snapshot in &snapshots {
            finite(snapshot, "the snapshot")?;
        }
        let count = snapshots.len();
        // Differences of near snapshots first: little is rounded away.
        let moved = Tensor::stack::<2>(snapshots.clone(), 0) - last.clone().unsqueeze::<2>();
        let centred = moved.clone() - moved.clone().mean_dim(0);
        let gram = centred.clone().matmul(centred.clone().transpose());
        let gram: Vec<f64> = gram.into_data().iter().collect();
        let gram = DMatrix::from_vec(count, count, gram);
        let total = gram.trace();
        let eigen = SymmetricEigen::new(gram);
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let share = |rank: usize| eigen.eigenvalues[order[rank]] / total;
        // Of the products, and so of the shares.
        let rounding = match first.dtype() {
            burn::tensor::DType::F64 => 1e-13,
            _ => 1e-6,
        };
        if count < 3 || !(total > 0.0 && share(1) > rounding) {
            return refuse(format!("{count} on one line"));
        }
        let component = |rank: usize| {
            let weights = eigen.eigenvectors.column(order[rank]);
            let weights = TensorData::new(weights.iter().copied().collect(), [1, count]);
            let weights = Tensor::<2>::from_data(weights, (&last.device(), last.dtype()));
            weights.matmul(centred.clone()).squeeze_dim::<1>(0)
        };
        let beside = first.clone() - last.clone();
        let one = unit(component(0), &beside);
        let other = component(1);
        let along = dot(&other, &one);
        let other = unit(other - one.clone() * along, &beside);
        let places = moved.matmul(Tensor::stack::<2>(vec![one.clone(), other.clone()], 1));
        let places: Vec<f64> = places.into_data().iter().collect();
        Ok(Trajectory {
            path: places.chunks_exact(2).map(|at| [at[0], at[1]]).collect(),
            explained: [share(0), share(1)],
            directions: [one, other],
            last: last.clone(),
            points: 25,
            margin: 0.2,
        })
    }

    /// How many points the surface has each way; 25 by default.
    pub fn points(self, points: usize) -> Self {
        Trajectory { points, ..self }
    }

    /// How far the surface reaches beyond the path on each side, as a share of the path's width and
    /// height; 0.2 by default.
    pub fn margin(self, margin: f64) -> Self {
        Trajectory { margin, ..self }
    }

    /// Measures the loss over the plane around the path, whatever the weights of `objective` are.
    ///
    /// # Errors
    ///
    /// As for [`Plane::run`]; a margin that is negative or not finite.
    pub fn run(&self, objective: &Objective) -> Result<Surface, FlatnessError> {
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            let expected = "at least 0 and finite";
            return Err(FlatnessError::argument("margin", self.margin, expected));
        }
        let range = |axis: usize| {
            let along = self.path.iter().map(|at| at[axis]);
            let (low, high) = along.fold((0.0, 0.0), |(low, high): (f64, f64), at| {
                (low.min(at), high.max(at))
            });
            let margin = self.margin * (high - low);
            low - margin..=high + margin
        };
        let plane = Plane::new().x(range(0)).y(range(1)).points(self.points);
        let objective = objective.at(self.last.clone())?;
        let surface = plane.run(&objective, &self.directions)?;
        Ok(Surface {
            path: self.path.clone(),
            explained: Some(self.explained),
            ..surface
        })
    }
}

/// Of length 1, on the side of `beside`.
fn unit(vector: Tensor<1>, beside: &Tensor<1>) -> Tensor<1> {
    let side = if dot(&vector, beside) < 0.0 {
        -1.0
    } else {
        1.0
    };
    vector.clone() * (side / norm(&vector))
}
