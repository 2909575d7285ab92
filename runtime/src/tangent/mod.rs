//! Derivatives along a direction in parameter space, and through them exact second derivatives.
//!
//! Burn differentiates once. A declared network therefore has, beside `forward`, a `forward_dual`
//! that carries each value together with its derivative along a direction `v`: another network of
//! the same type, whose parameters are the direction's. For a linear layer that is
//!
//! ```text
//! y  = x W + b
//! y' = x' W + x W_v + b_v
//! ```
//!
//! (Pearlmutter 1994, "Fast exact multiplication by the Hessian"). The derivative of the loss,
//! `L' = ∇L · v`, is an ordinary differentiable expression, and its gradient is the exact product of
//! the Hessian with `v`. [`flatness`](crate::flatness) is made of such products; this module is for
//! those who want one by hand, or who have a layer of their own.
//!
//! ```
//! use kiln::prelude::*;
//!
//! model! {
//!     pub struct Net;
//!     input x: [2];
//!     let y = x -> linear(1, bias: false);
//!     output y;
//!     loss mse;
//! }
//!
//! let device = default_device()?;
//! let net = NetConfig::new().init(&device)?;
//! let along = NetConfig::new().init(&device)?; // some direction
//! let x = Tensor::ones([1, 2], &device);
//! let dual = net.forward_dual(&along, x.clone());
//! // A linear layer's output changes as that of the direction itself.
//! let difference = dual.tangent.unwrap() - along.forward(x);
//! assert!(difference.abs().into_scalar::<f32>() < 1e-6);
//! # Ok::<(), kiln::Error>(())
//! ```
//!
//! A layer of your own takes part by its own rule, [`Layer::forward_dual`](crate::layer::Layer), or
//! without one by a central difference of that layer alone; then results say so.

mod difference;
mod dual;
mod functions;
mod rules;
mod values;

use std::any::Any;
use std::collections::BTreeSet;

use crate::layer::Layer;
use crate::model::LayerPath;

pub use self::dual::Dual;
pub use self::values::{Lift, Values};

#[doc(hidden)]
pub use self::difference::Scale;

pub(crate) use self::difference::difference;
pub(crate) use self::dual::sum;
pub(crate) use self::functions::sigmoid;
pub(crate) use self::rules::{idle_layers, linear_layers, part, value_of};

/// What a layer gives, with its derivative along a direction.
///
/// Implemented for every layer of [`layer`](crate::layer). What goes in, `I`, is a [`Dual`], a tensor
/// of integers, or a tuple where a layer takes several values; `O` comes out.
pub trait Tangent<I, O> {
    /// Runs the layer as in inference. `direction` holds the direction's parameters in the
    /// place of the layer's; without one the parameters do not change.
    fn forward_dual(&self, direction: Option<&Self>, input: I, pass: &mut Pass) -> O;
}

/// How a network is run for derivatives, and what it notes on the way.
///
/// Dropout and other noise are off, and running statistics are never changed.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    batch_statistics: bool,
    noise: bool,
    path: LayerPath,
    differences: BTreeSet<String>,
}

impl Pass {
    /// `batch_norm` uses its running statistics, as in inference.
    pub fn new() -> Pass {
        Pass::default()
    }

    /// `batch_norm` uses the statistics of the batch, as in training, unless it is frozen; they are part
    /// of what is differentiated.
    pub fn with_batch_statistics() -> Pass {
        Pass {
            batch_statistics: true,
            ..Pass::default()
        }
    }

    /// That of a layer's `forward`, where it is its rule on values that do not change: with noise as
    /// the layer has it.
    pub(crate) fn of_forward() -> Pass {
        Pass {
            noise: true,
            ..Pass::default()
        }
    }

    pub(crate) fn has_noise(&self) -> bool {
        self.noise
    }

    /// Whether `batch_norm` uses the statistics of the batch.
    pub fn batch_statistics(&self) -> bool {
        self.batch_statistics
    }

    /// The paths of the layers whose derivative was a central difference, because they have no
    /// rule of their own.
    pub fn differences(&self) -> impl Iterator<Item = &str> {
        self.differences.iter().map(String::as_str)
    }

    /// Notes that the layer whose turn it is has no rule.
    pub(crate) fn note_difference(&mut self) {
        self.differences.insert(self.path.of(""));
    }
}

/// Runs a layer of the user's own. What goes in and comes out are its own types: rustc has seen to it in
/// `forward`, and is not to say so twice.
#[doc(hidden)]
pub fn run_own<L: Layer, I: 'static, O: 'static>(
    layer: &L,
    direction: Option<&L>,
    path: &str,
    input: I,
    pass: &mut Pass,
) -> O {
    let input = same::<I, <L::Input as Lift>::Dual>(input);
    pass.path.model(path);
    let output = layer.forward_dual(direction, input, pass);
    pass.path.exit();
    same(output)
}

fn same<A: 'static, B: 'static>(value: A) -> B {
    let value: Box<dyn Any> = Box::new(value);
    match value.downcast() {
        Ok(value) => *value,
        Err(_) => unreachable!("`forward` would not have compiled"),
    }
}

/// Runs `value` through the blocks, the first of which is number `written`.
#[doc(hidden)]
pub fn run_repeated<B, const D: usize>(
    blocks: &[B],
    direction: Option<&[B]>,
    path: &str,
    written: usize,
    mut value: Dual<D>,
    pass: &mut Pass,
    run: impl Fn(&B, Option<&B>, Dual<D>, &mut Pass) -> Dual<D>,
) -> Dual<D> {
    for (index, block) in blocks.iter().enumerate() {
        pass.path.enter(path, index + written);
        let along = direction.and_then(|blocks| blocks.get(index));
        value = run(block, along, value, pass);
        pass.path.exit();
    }
    value
}
