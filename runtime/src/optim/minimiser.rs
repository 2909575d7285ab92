//! The optimizer that evaluates the loss several times a step: L-BFGS, by Burn.

use std::fmt;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LBFGS, LBFGSConfig, LineSearchFn};
use burn::tensor::{DType, Device, Tensor};
use burn_pack::Reader;

use super::record::damaged;
use super::{LineSearch, OptimizerError, Recipe, Update, UpdaterRecord, target};

/// A [`Recipe`] of `update lbfgs(..)` with its state.
///
/// ```
/// use kiln::burn::nn::{Linear, LinearConfig};
/// use kiln::burn::optim::GradientsParams;
/// use kiln::burn::tensor::Tensor;
/// use kiln::optim::Optimizer;
/// use kiln::prelude::*;
///
/// optimizer! {
///     struct QuasiNewton;
///     update lbfgs(line_search: strong_wolfe);
/// }
///
/// let device = default_device()?.autodiff();
/// let x = Tensor::<2>::from_data([[1.0, 2.0], [3.0, -1.0], [0.0, 1.0]], &device);
/// let y = Tensor::<2>::from_data([[1.0], [0.0], [1.0]], &device);
/// let loss = |model: &Linear| (model.forward(x.clone()) - y.clone()).square().mean();
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let mut minimiser = QuasiNewton::new().minimiser(&model)?;
/// for _ in 0..3 {
///     model = minimiser.step(1.0, model, |model| {
///         let loss = loss(model);
///         let gradients = GradientsParams::from_grads(loss.backward(), model);
///         (loss.into_scalar(), gradients)
///     });
/// }
/// // Three equations, three unknowns.
/// assert!(loss(&model).into_scalar::<f64>() < 1e-9);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone)]
pub struct Minimiser {
    recipe: Recipe,
    /// The learning rate of the rule, as a multiple of the step's.
    lr: f64,
    rule: LBFGS,
    steps: u64,
    /// The numbers of all parameters.
    size: usize,
}

impl Minimiser {
    pub(super) fn new<M: Module>(recipe: Recipe, model: &M) -> Result<Self, OptimizerError> {
        recipe.check()?;
        let rule = &recipe.rules[0];
        let statement = rule.to_string();
        let Update::Lbfgs {
            history_size,
            max_iter,
            line_search,
            tolerance_grad,
            tolerance_change,
        } = rule.update
        else {
            return Err(match rule.update {
                Update::NewtonCg { .. } => OptimizerError::NeedsProducts { statement },
                _ => OptimizerError::NeedsGradient { statement },
            });
        };
        let parameters = target::parameters(model);
        target::refuse_tied(&parameters)?;
        let mut numbers = Numbers::default();
        model.visit(&mut numbers);
        for (parameter, numbers_of) in parameters.iter().zip(&numbers.of) {
            let first = &numbers.of[0];
            if numbers_of != first {
                let shown = |(dtype, device): &(DType, Device)| format!("{dtype:?} on {device:?}");
                return Err(OptimizerError::Mixed {
                    statement,
                    path: parameter.path.clone(),
                    found: shown(numbers_of),
                    expected: shown(first),
                });
            }
        }
        let config = LBFGSConfig::new()
            .with_history_size(history_size)
            // Burn multiplies it by 5.
            .with_max_iter(max_iter.min(usize::MAX / 5))
            .with_line_search_fn(match line_search {
                LineSearch::None => LineSearchFn::None,
                LineSearch::StrongWolfe => LineSearchFn::StrongWolfe,
            })
            .with_tolerance_grad(tolerance_grad)
            .with_tolerance_change(tolerance_change);
        Ok(Minimiser {
            lr: rule.lr,
            rule: config.init(),
            steps: 0,
            size: numbers.size,
            recipe,
        })
    }

    /// What this optimizer does.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step with the learning rate `lr`. `evaluate` gives the loss and its gradient, and has to
    /// be one function of the weights all through the step: the same examples, and the same random
    /// numbers.
    ///
    /// The first model that it is given is `model`. Those after it share no running statistics with
    /// it: those of `batch_norm` stay as the first evaluation left them. A parameter without a
    /// gradient stays as it is. Every evaluation is read back from the device.
    pub fn step<M: Module>(
        &mut self,
        lr: f64,
        model: M,
        mut evaluate: impl FnMut(&M) -> (f64, GradientsParams),
    ) -> M {
        self.steps += 1;
        if self.size == 0 {
            return model;
        }
        let mut first = Some(evaluate(&model));
        // Takes over the running statistics that wait to be: Burn reads the parameters now, and
        // writes what it read.
        let _ = model.valid();
        let (model, _) = self.rule.step(self.lr * lr, model, |model: M| {
            let again = || evaluate(&model.valid().train());
            let (loss, gradients) = first.take().unwrap_or_else(again);
            let mut whole = Whole(gradients);
            model.visit(&mut whole);
            (loss, whole.0)
        });
        model
    }

    /// The whole state, for a checkpoint: reads it back from the device.
    pub fn to_record(&self) -> UpdaterRecord {
        UpdaterRecord {
            steps: self.steps,
            count: 0,
            minimiser: true,
            rules: self.rule.to_record(),
            slow: None,
            mean: None,
        }
    }

    /// Goes on from the state in `record`: the steps that follow have the bits that they would have
    /// had.
    ///
    /// # Errors
    ///
    /// [`OptimizerError::Foreign`] where an [`Updater`](super::Updater) wrote the record, or the
    /// minimiser of a model of another size, and [`OptimizerError::Damaged`] where Burn cannot read
    /// it.
    pub fn load_record(mut self, record: UpdaterRecord) -> Result<Self, OptimizerError> {
        let foreign = |reason: &str| {
            let reason = reason.into();
            Err(OptimizerError::Foreign { reason })
        };
        if !record.minimiser {
            return foreign("it is that of a rule that takes one gradient a step");
        }
        let found = record.rules.len();
        self.rule = self.rule.load_record(record.rules);
        let loaded = self.rule.to_record();
        if loaded.len() != found {
            return foreign("its tensors are none of L-BFGS");
        }
        let loaded = Reader::from_bytes(loaded.into_bytes().map_err(damaged)?).map_err(damaged)?;
        let tensors = loaded.into_tensors().map_err(damaged)?;
        if tensors.iter().any(|tensor| tensor.shape[..] != [self.size]) {
            return foreign("its weights are those of another model");
        }
        self.steps = record.steps;
        Ok(self)
    }
}

/// What Burn's vector of all parameters is made of.
#[derive(Default)]
struct Numbers {
    of: Vec<(DType, Device)>,
    size: usize,
}

impl ModuleVisitor for Numbers {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weight = param.val();
        self.of.push((weight.dtype(), weight.device().inner()));
        self.size += weight.shape().num_elements();
    }
}

/// Gradients, with zeros where there is none: for Burn the vectors of the weights and of the
/// gradients are of one length, and running statistics are weights.
struct Whole(GradientsParams);

impl ModuleVisitor for Whole {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.0.get::<D>(param.id).is_none() {
            self.0.register(param.id, param.val().inner().zeros_like());
        }
    }
}

impl fmt::Debug for Minimiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minimiser")
            .field("recipe", &self.recipe)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
