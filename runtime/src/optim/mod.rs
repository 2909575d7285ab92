//! Optimizers as declared: which update rule moves which parameter, and how gradients are clipped.
//!
//! [`optimizer!`](crate::optimizer) turns a declaration into a configuration that implements
//! [`Optimizer`]. Its [`Recipe`] is the declaration with every number filled in: plain data.
//! [`Optimizer::init`] checks the recipe against a model and gives the [`Updater`] that steps it.
//! The update rules are Burn's. On the processor each takes its step in one pass over a parameter,
//! with Burn's numbers and Burn's record of its state.
//!
//! ```
//! use kiln::optim::Optimizer;
//! use kiln::optimizer;
//!
//! optimizer! {
//!     /// SGD with momentum; biases and norms are not decayed.
//!     pub struct Momentum { momentum: f64 = 0.9, decay: f64 = 5e-4 }
//!
//!     update sgd(momentum: momentum, nesterov: true, weight_decay: decay);
//!     update sgd(momentum: momentum) for bias, norm;
//!     clip global_norm(1.0);
//! }
//!
//! let recipe = Momentum::new().with_decay(1e-3).recipe();
//! assert_eq!(
//!     recipe.to_string(),
//!     "update sgd(momentum: 0.9, nesterov: true, weight_decay: 0.001);\n\
//!      update sgd(momentum: 0.9, nesterov: false, weight_decay: 0) for bias, norm;\n\
//!      clip global_norm(1);",
//! );
//! ```

mod build;
mod choice;
mod clip;
mod error;
mod lars;
mod muon;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod one_pass;
mod recipe;
mod rmsprop;
// `macros/src/optimizer/rules.rs`, where the macro reads the same rules.
#[allow(dead_code, reason = "some of it serves the macro alone")]
mod shared {
    kiln_macros::__optimizer_rules!();
    pub use rules::*;
}
mod statement;
mod steepest;
mod target;
mod update;
mod updater;

pub use clip::{clip_global_norm, global_norm};
pub use error::OptimizerError;
pub use recipe::{Recipe, Rule, Switch};
pub use statement::{Average, Clip, Noise, Sharpness};
pub use target::Target;
pub use update::{AdjustLr, Norm, Update};
pub use updater::Updater;

/// The body of [`optimizer!`](crate::optimizer) over a struct of yours, whose fields are the
/// hyper-parameters: `f64`, `usize` or `bool`, with `#[optimizer(default = ..)]` where they have a
/// default.
///
/// What `optimizer!` writes beside the struct is derived: `new`, the `with_` setters, serde, `Display`,
/// `Default` where every field has one, Burn's `Config`, and [`Optimizer`](trait@Optimizer). The
/// struct has to be `Clone` and `Debug`.
///
/// ```
/// use kiln::prelude::*;
///
/// /// Biases and norms are not decayed.
/// #[derive(Optimizer, Clone, Debug, PartialEq)]
/// #[optimizer(
///     update sgd(momentum: momentum, weight_decay: decay);
///     update sgd(momentum: momentum) for bias, norm;
/// )]
/// pub struct Momentum {
///     #[optimizer(default = 0.9)]
///     momentum: f64,
///     decay: f64,
/// }
///
/// let recipe = Momentum::new(1e-4).with_momentum(0.8).recipe();
/// assert!(recipe.to_string().starts_with("update sgd(momentum: 0.8,"));
/// ```
pub use kiln_macros::Optimizer;

use burn::config::Config;
use burn::module::Module;
use burn::optim::ModuleOptimizer;

/// A declared optimizer: the configuration that [`optimizer!`](crate::optimizer) writes.
pub trait Optimizer: Config + Clone + Send + Sync + 'static {
    /// The declaration with the values of the hyper-parameters filled in.
    fn recipe(&self) -> Recipe;

    /// The optimizer of `model`: every parameter goes to the last rule that matches it.
    ///
    /// # Errors
    ///
    /// A number out of its range, a path pattern that matches no parameter, and trainable
    /// parameters that are tied (one identity at two paths, see [`OptimizerError::Tied`]).
    fn init<M: Module>(&self, model: &M) -> Result<Updater, OptimizerError> {
        self.recipe().init(model)
    }

    /// The same as an optimizer of Burn's, for Burn's own `Learner`.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init), and [`OptimizerError::NotInBurn`] where the declaration
    /// holds what a `ModuleOptimizer` cannot do: it sees one gradient at a time, so it cannot
    /// clip by the norm of all of them.
    fn module_optimizer<M: Module>(&self, model: &M) -> Result<ModuleOptimizer, OptimizerError> {
        self.recipe().module_optimizer(model)
    }
}
