//! What a declared network is to the rest: a Burn module that knows its configuration, its shapes
//! and its loss.

mod graph;
mod observe;
mod path;
#[doc(hidden)]
pub mod repeated;
mod size;
mod step;
mod store;
mod summary;

use std::fmt;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::data::{DataError, Source, Target};
use crate::tangent::{Dual, Lift, Pass, Values};

pub use graph::{Cluster, Graph, GraphError, GraphNode, NodeKind};
pub use observe::{Observe, first_non_finite};
pub(crate) use path::Path as LayerPath;
pub use size::Size;
pub(crate) use size::shown;
pub use step::LossOutput;
pub use store::StoreError;
pub(crate) use store::{checksum, name, reason};
#[doc(hidden)]
pub use summary::Node;
pub(crate) use summary::grouped;
pub use summary::{LayerSummary, Summary};

/// A network with its loss, as `model!` makes it.
///
/// Beyond what is here it is a Burn [`Module`], so that everything of Burn's takes it as it is,
/// and it has a method `forward` with its own input names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no network that can be trained: it has no loss",
    note = "add a loss to its declaration, such as `loss cross_entropy;`"
)]
pub trait Model: Module + fmt::Display + 'static {
    /// The hyper-parameters.
    type Config: ModelConfig<Model = Self>;
    /// What goes in: a batch.
    type Input: Upload + Lift;
    /// What comes out: a batch.
    type Output: Values;
    /// What the loss compares the output with.
    type Target: Upload;

    /// The hyper-parameters that this network was made from.
    fn config(&self) -> &Self::Config;

    /// Runs the network and shows `observer` what every layer gives.
    fn observe<O: Observe>(&self, input: Self::Input, observer: &mut O) -> Self::Output;

    /// The mean loss of a batch, as a tensor of one number.
    fn loss(&self, output: Self::Output, target: Self::Target) -> Tensor<1>;

    /// How many of the classes that the loss compares with are right, of all the batch: one for each
    /// example, or for each place of one. `None` where the loss knows no right or wrong.
    fn correct(&self, output: Self::Output, target: Self::Target) -> Option<Tensor<1, Int>>;

    /// Runs the network, as in inference, on a batch that does not change along the direction, and
    /// carries each value together with its derivative; see [`tangent`](crate::tangent). The network
    /// `direction` holds the direction's parameters; without one nothing changes.
    fn tangent(
        &self,
        direction: Option<&Self>,
        input: Self::Input,
        pass: &mut Pass,
    ) -> <Self::Output as Lift>::Dual;

    /// The mean loss of a batch with its derivative along the direction.
    fn loss_tangent(&self, output: <Self::Output as Lift>::Dual, target: Self::Target) -> Dual<1>;

    /// Runs the network on a batch.
    fn forward(&self, input: Self::Input) -> Self::Output {
        self.observe(input, &mut ())
    }

    /// The layers with their paths, output shapes and parameters.
    fn summary(&self) -> Summary {
        // A model exists only if its configuration passed every check.
        let summary = self.config().summary();
        summary.unwrap_or_else(|_| Summary::new("", &[]))
    }

    /// The network as a graph, to be drawn.
    ///
    /// ```
    /// use kiln::prelude::*;
    ///
    /// model! {
    ///     pub struct Net;
    ///     input x: [4];
    ///     let y = x -> residual { linear(4) -> tanh } -> linear(1);
    ///     output y;
    ///     loss mse;
    /// }
    /// let graph = NetConfig::new().init(&default_device()?)?.graph();
    /// graph.save(std::env::temp_dir().join("net.svg"))?;
    /// assert!(graph.to_mermaid().starts_with("flowchart TD"));
    /// # Ok::<(), kiln::Error>(())
    /// ```
    fn graph(&self) -> Graph {
        self.summary().graph()
    }

    /// Writes parameters and configuration to one file in Burn's format, burnpack; an old file is
    /// replaced only once the new one is whole.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    fn save(&self, path: impl AsRef<Path>) -> Result<(), StoreError> {
        store::save(self, path.as_ref())
    }

    /// Reads what [`save`](Self::save) wrote: the configuration, then the parameters.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is damaged, or holds another model.
    fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, StoreError> {
        store::load(path.as_ref(), device)
    }
}

/// The hyper-parameters of a [`Model`].
pub trait ModelConfig: Config + Clone + fmt::Debug + Send + Sync {
    /// The network.
    type Model: Model<Config = Self>;

    /// Draws the parameters from the device's random numbers, in the order of the declaration.
    ///
    /// # Errors
    ///
    /// When the values give a shape that cannot be; every such place is named.
    fn init(&self, device: &Device) -> Result<Self::Model, InitError>;

    /// The layers, worked out without running them.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    fn summary(&self) -> Result<Summary, InitError> {
        self.summary_at(&[])
    }

    /// The [`summary`](Self::summary) for tensors whose open dimensions, declared with `any`,
    /// have the sizes that `lengths` gives by name.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    fn summary_at(&self, lengths: &[(&str, usize)]) -> Result<Summary, InitError>;

    /// The network as a graph, to be drawn.
    ///
    /// # Errors
    ///
    /// As for [`init`](Self::init).
    fn graph(&self) -> Result<Graph, InitError> {
        Ok(self.summary()?.graph())
    }

    #[doc(hidden)]
    fn late(&self, shapes: &[&[Size]]) -> Result<(), InitError> {
        let _ = shapes;
        Ok(())
    }

    /// The shape of each input of one example.
    fn inputs(&self) -> Vec<Vec<Size>>;

    /// What the losses compare the outputs of one example with, in the order of the losses.
    fn targets(&self) -> Vec<Target<Size>>;

    /// Whether the examples of `source` are what this network takes.
    ///
    /// # Errors
    ///
    /// Says which of the two shapes is which.
    fn check(&self, source: &dyn Source) -> Result<(), MismatchError> {
        let (expected, found) = (self.inputs(), source.inputs());
        let takes = |(shape, found): (&Vec<Size>, &Vec<usize>)| {
            shape.len() == found.len() && shape.iter().zip(found).all(|(a, b)| a.takes(*b))
        };
        if expected.len() != found.len() || !expected.iter().zip(&found).all(takes) {
            return Err(MismatchError::Input { expected, found });
        }
        let shapes = found
            .iter()
            .map(|shape| shape.iter().copied().map(Size::Fixed).collect());
        let shapes: Vec<Vec<Size>> = shapes.collect();
        let shapes: Vec<&[Size]> = shapes.iter().map(Vec::as_slice).collect();
        self.late(&shapes).map_err(MismatchError::Sizes)?;
        // What the inputs leave open is what they are here.
        let sizes = expected.iter().flatten().zip(found.iter().flatten());
        let sizes: Vec<_> = sizes.collect();
        let known = |size: Size| match sizes.iter().find(|(open, _)| **open == size) {
            Some((_, found)) => Size::Fixed(**found),
            None => size,
        };
        let expected = self.targets().into_iter().map(|target| target.sized(known));
        let (expected, found) = (expected.collect::<Vec<_>>(), source.targets());
        if expected.len() == found.len() && expected.iter().zip(&found).all(|(e, f)| e.takes(f)) {
            Ok(())
        } else {
            Err(MismatchError::Target { expected, found })
        }
    }
}

/// Hyper-parameters that give a network which cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{model}` cannot be made:{}", listed(.problems))]
pub struct InitError {
    /// The model's name.
    pub model: String,
    /// What is wrong, with the layer where it is.
    pub problems: Vec<String>,
}

fn listed(problems: &[String]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect()
}

/// A data set that does not fit a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MismatchError {
    /// The inputs differ.
    #[error(
        "the model takes examples of shape {}, the data set holds {}; \
         change the model's `input` or choose another data set",
        shapes(.expected, shown), shapes(.found, |shape| format!("{shape:?}"))
    )]
    Input {
        /// The model's.
        expected: Vec<Vec<Size>>,
        /// The data set's.
        found: Vec<Vec<usize>>,
    },
    /// The sizes of open dimensions are such that a layer cannot be run.
    #[error(
        "the data set does not fit `{}`: {}; choose another data set, or change the model",
        .0.model, .0.problems.join("; ")
    )]
    Sizes(InitError),
    /// The targets differ.
    #[error(
        "the model's loss compares with {}, the data set holds {}; \
         change the model's `output` or `loss`, or choose another data set",
        targets(.expected), targets(.found)
    )]
    Target {
        /// The model's.
        expected: Vec<Target<Size>>,
        /// The data set's.
        found: Vec<Target>,
    },
}

fn shapes<S>(shapes: &[Vec<S>], shown: impl Fn(&[S]) -> String) -> String {
    let shapes: Vec<_> = shapes.iter().map(|shape| shown(shape)).collect();
    shapes.join(" and ")
}

fn targets<S: fmt::Display>(targets: &[Target<S>]) -> String {
    let targets: Vec<_> = targets.iter().map(Target::to_string).collect();
    targets.join(", and ")
}

/// A batch on the device.
pub struct Batch<M: Model> {
    /// The inputs.
    pub input: M::Input,
    /// The targets.
    pub target: M::Target,
}

impl<M: Model> Clone for Batch<M> {
    fn clone(&self) -> Self {
        Batch {
            input: self.input.clone(),
            target: self.target.clone(),
        }
    }
}

impl<M: Model> fmt::Debug for Batch<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch { .. }")
    }
}

impl<M: Model> Batch<M> {
    /// Moves a batch to the device.
    ///
    /// # Errors
    ///
    /// When the source gave tensors of another rank than it said.
    pub fn upload(examples: crate::data::Examples, device: &Device) -> Result<Self, DataError> {
        Ok(Batch {
            input: M::Input::upload(examples.inputs, device)?,
            target: M::Target::upload(examples.targets, device)?,
        })
    }
}

/// Tensors that host data can become.
pub trait Upload: Clone + Send + 'static {
    /// Moves `data` to the device.
    ///
    /// # Errors
    ///
    /// When `data` are not as many tensors, or not of the rank, that this is.
    fn upload(data: Vec<TensorData>, device: &Device) -> Result<Self, DataError>;

    /// The same numbers where nothing is differentiated.
    #[doc(hidden)]
    fn inner(self) -> Self;
}

/// The one tensor of `data`, of rank `rank`.
fn single(mut data: Vec<TensorData>, rank: usize) -> Result<TensorData, DataError> {
    match data.pop() {
        Some(tensor) if data.is_empty() && tensor.shape().as_slice().len() == rank => Ok(tensor),
        other => {
            let found = other
                .into_iter()
                .chain(data)
                .map(|tensor| tensor.shape().to_vec());
            Err(DataError::Rank {
                rank,
                found: found.collect(),
            })
        }
    }
}

impl<const D: usize> Upload for Tensor<D> {
    fn upload(data: Vec<TensorData>, device: &Device) -> Result<Self, DataError> {
        Ok(Tensor::from_data(single(data, D)?, device))
    }

    fn inner(self) -> Self {
        self.inner()
    }
}

impl<const D: usize> Upload for Tensor<D, Int> {
    fn upload(data: Vec<TensorData>, device: &Device) -> Result<Self, DataError> {
        Ok(Tensor::from_data(single(data, D)?, device))
    }

    fn inner(self) -> Self {
        self.inner()
    }
}

/// Several inputs or targets, one tensor of the data each.
macro_rules! upload_tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Upload),+> Upload for ($($name,)+) {
            fn upload(data: Vec<TensorData>, device: &Device) -> Result<Self, DataError> {
                let (expected, found) = ([$(stringify!($name)),+].len(), data.len());
                if expected != found {
                    let (what, help) = ("tensors", "the model has as many inputs or targets");
                    return Err(DataError::Count { what, expected, found, help });
                }
                let mut data = data.into_iter();
                Ok(($($name::upload(data.by_ref().take(1).collect(), device)?,)+))
            }

            fn inner(self) -> Self {
                ($(self.$index.inner(),)+)
            }
        }
    };
}

upload_tuple!(A 0, B 1);
upload_tuple!(A 0, B 1, C 2);
upload_tuple!(A 0, B 1, C 2, D 3);
upload_tuple!(A 0, B 1, C 2, D 3, E 4);
upload_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
upload_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
upload_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
