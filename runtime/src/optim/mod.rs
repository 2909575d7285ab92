//! Optimizers as declared: which update rule moves which parameter, and what happens to gradients
//! and weights beside it.
//!
//! [`optimizer!`](crate::optimizer) turns a declaration into a configuration that implements
//! [`Optimizer`]. Its [`Recipe`] is the declaration with every number filled in: plain data.
//! [`Optimizer::init`] checks the recipe against a model and gives the [`Updater`] that steps it.
//! The update rules are Burn's where it has them. On the processor SGD, Adam and AdamW take their
//! step in one pass over a parameter, with Burn's numbers and Burn's record of their state.
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

//! # Large batches
//!
//! The recipe for batches of thousands ([Goyal et al. 2017](https://arxiv.org/abs/1706.02677);
//! [You et al. 2017](https://arxiv.org/abs/1708.03888)), to copy: a rate that grows with the batch
//! and is warmed up, LARS for the weights, no decay and no adapting for biases and norms, and labels
//! that are smoothed. [`trust_ratios`] shows why one rate does not serve all layers.
//!
//! ```
//! use kiln::burn::optim::GradientsParams;
//! use kiln::optim::{Optimizer, trust_ratios};
//! use kiln::prelude::*;
//! use kiln::schedule::{Horizon, Schedule};
//!
//! model! {
//!     struct Digits { classes: usize = 10 }
//!
//!     input image: [1, 12, 12];
//!     let features = image -> conv: conv2d(8, kernel: 3) -> norm: batch_norm -> relu;
//!     let logits = features -> flatten -> head: linear(classes);
//!     output logits;
//!     loss cross_entropy(label_smoothing: 0.1);
//! }
//!
//! optimizer! {
//!     /// Layer-wise rates for the weights alone.
//!     struct LargeBatch { momentum: f64 = 0.9, decay: f64 = 5e-4 }
//!
//!     update lars(momentum: momentum, weight_decay: decay, trust_coefficient: 0.001);
//!     update sgd(momentum: momentum, lr: 0.01x) for bias, norm;
//! }
//!
//! schedule! {
//!     /// The rate of a batch of 128, times the batch, reached gradually.
//!     struct Scaled { base: f64 = 0.5 }
//!
//!     peak base per 128 examples;
//!     warmup(20 %) -> cosine;
//! }
//!
//! let device = kiln::device::default_device()?.autodiff();
//! let digits = DigitsConfig::new().init(&device)?;
//! let mut optimizer = LargeBatch::new().init(&digits)?;
//! let rate = Scaled::new().over(&Horizon { steps: 640, steps_per_epoch: 8, batch: 8192 })?;
//! assert_eq!(rate.at(128), 32.0);
//!
//! let image = Tensor::ones([4, 1, 12, 12], &device);
//! let labels = Tensor::<1, Int>::from_ints([3, 1, 4, 1], &device);
//! let loss = digits.loss(digits.forward(image), labels);
//! let gradients = GradientsParams::from_grads(loss.backward(), &digits);
//! println!("{}", trust_ratios(&digits, &gradients));
//! let digits = optimizer.step(rate.at(128), digits, gradients);
//! # let _ = digits;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod average;
mod build;
mod choice;
mod clip;
mod error;
mod lars;
mod minimiser;
mod muon;
mod noise;
#[cfg(any(feature = "flex", feature = "ndarray"))]
mod one_pass;
mod recipe;
mod record;
mod rmsprop;
// `macros/src/optimizer/rules.rs`, where the macro reads the same rules.
#[allow(dead_code, reason = "some of it serves the macro alone")]
mod shared {
    kiln_macros::__optimizer_rules!();
    pub use rules::*;
}
mod sharpness;
mod stage;
mod statement;
mod steepest;
mod target;
mod trust_ratios;
mod update;
mod updater;

pub use crate::flatness::CurvatureMatrix;
pub(crate) use clip::in_single;
pub use clip::{clip_global_norm, global_norm};
pub use error::OptimizerError;
pub use minimiser::Minimiser;
pub use recipe::{Recipe, Rule, Switch};
pub use record::UpdaterRecord;
pub(crate) use shared::matches as path_matches;
pub use statement::{Average, Clip, Noise, Sharpness};
pub use target::Target;
pub(crate) use target::{Parameter, is_trained, listed, parameters, refuse_tied};
pub use trust_ratios::{TrustRatio, TrustRatios, trust_ratios};
pub use update::{AdjustLr, LineSearch, Norm, Update};
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

use crate::schedule::Horizon;

/// A declared optimizer: the configuration that [`optimizer!`](crate::optimizer) writes.
pub trait Optimizer: Config + Clone + Send + Sync + 'static {
    /// The declaration with the values of the hyper-parameters filled in.
    fn recipe(&self) -> Recipe;

    /// The optimizer of `model`: every parameter goes to the last rule that matches it.
    ///
    /// # Errors
    ///
    /// A number out of its range, a path pattern that matches no parameter, a parameter that is no
    /// matrix under Muon, and trainable parameters that are tied (one identity at two paths, see
    /// [`OptimizerError::Tied`]).
    /// [`OptimizerError::NoHorizon`] where the declaration holds a time, in `switch at` or in
    /// `average swa`: [`over`](Self::over) is for these. [`OptimizerError::NeedsLoss`] for
    /// `update lbfgs(..)`, which has a [`minimiser`](Self::minimiser), and
    /// [`OptimizerError::NeedsProducts`] for `update newton_cg(..)`, which a
    /// [`Trainer`](crate::train::Trainer) knows.
    fn init<M: Module>(&self, model: &M) -> Result<Updater, OptimizerError> {
        self.recipe().init(model)
    }

    /// The optimizer of `model` over a training of that length, which turns times into steps. A
    /// fraction of a step is the whole step after it.
    ///
    /// ```
    /// use kiln::burn::nn::LinearConfig;
    /// use kiln::optim::Optimizer;
    /// use kiln::prelude::*;
    /// use kiln::schedule::Horizon;
    ///
    /// optimizer! {
    ///     /// Adam, and SGD with ten times its rate in the last fifth.
    ///     struct Settle;
    ///     update adam();
    ///     switch at 80 % to sgd(momentum: 0.9, lr: 10x);
    /// }
    ///
    /// let model = LinearConfig::new(3, 1).init(&default_device()?);
    /// let horizon = Horizon { steps: 1000, steps_per_epoch: 100, batch: 64 };
    /// assert!(Settle::new().over(&model, &horizon).is_ok());
    /// let error = Settle::new().init(&model).unwrap_err();
    /// assert!(error.to_string().contains("how long training is"));
    /// # Ok::<(), kiln::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init) but `NoHorizon`, and [`OptimizerError::Time`] for moments that
    /// do not rise or that training does not reach.
    fn over<M: Module>(&self, model: &M, horizon: &Horizon) -> Result<Updater, OptimizerError> {
        self.recipe().over(model, horizon)
    }

    /// The optimizer of `model` for `update lbfgs(..)`, which evaluates the loss several times a step.
    ///
    /// # Errors
    ///
    /// A number out of its range, something beside the rule, trainable parameters that are tied,
    /// parameters of several types or on several devices, and [`OptimizerError::NeedsGradient`]
    /// for every other rule.
    fn minimiser<M: Module>(&self, model: &M) -> Result<Minimiser, OptimizerError> {
        self.recipe().minimiser(model)
    }

    /// The same as an optimizer of Burn's, for Burn's own `Learner`.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Self::init), and [`OptimizerError::NotInBurn`] where the declaration
    /// holds what a `ModuleOptimizer` cannot do: it sees one gradient at a time and keeps no other
    /// weights, so it knows nothing but `update`, and neither steepest descent along all parameters
    /// nor L-BFGS.
    fn module_optimizer<M: Module>(&self, model: &M) -> Result<ModuleOptimizer, OptimizerError> {
        self.recipe().module_optimizer(model)
    }
}
