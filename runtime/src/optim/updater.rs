//! The optimizer at work: it moves the parameters of one model, step by step.

use std::fmt;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, TensorData};

use super::average::{Mean, Moments, Slow, Weights};
use super::record::State;
use super::stage::Stage;
use super::target::{self, Parameter};
use super::{
    Clip, OptimizerError, Recipe, UpdaterRecord, clip_global_norm, noise, record, sharpness,
    steepest,
};

/// A [`Recipe`] with its state: the steps so far, momenta and step counts one set a parameter, and
/// averages of the weights.
///
/// A loop of one's own that knows all statements but `switch at` and `average swa`, which need a
/// [horizon](super::Optimizer::over):
///
/// ```
/// use kiln::burn::nn::LinearConfig;
/// use kiln::burn::optim::GradientsParams;
/// use kiln::burn::tensor::Tensor;
/// use kiln::optim::Optimizer;
/// use kiln::prelude::*;
///
/// optimizer! {
///     struct Flat;
///     update sgd(momentum: 0.9);
///     sharpness sam(rho: 0.05);
///     average ema(decay: 0.9);
/// }
///
/// let device = default_device()?.autodiff();
/// let x = Tensor::<2>::from_data([[1.0, 2.0], [3.0, -1.0]], &device);
/// let y = Tensor::<2>::from_data([[1.0], [0.0]], &device);
/// let mut model = LinearConfig::new(2, 1).init(&device);
/// let mut updater = Flat::new().init(&model)?;
/// for _ in 0..10 {
///     let gradient = |model: &kiln::burn::nn::Linear| {
///         let loss = (model.forward(x.clone()) - y.clone()).square().mean();
///         GradientsParams::from_grads(loss.backward(), model)
///     };
///     let mut grads = gradient(&model);
///     if let Some(worse) = updater.ascend(&model, &grads) {
///         grads = gradient(&worse);
///     }
///     model = updater.step(0.1, model, grads);
/// }
/// let averaged = updater.averaged(&model).expect("the recipe has an average");
/// # let _ = averaged;
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone)]
pub struct Updater {
    recipe: Recipe,
    stage: Stage,
    /// Every stage as it is before its first step.
    stages: Vec<Stage>,
    steps: u64,
    slow: Option<Slow>,
    mean: Option<Mean>,
    device: Device,
    parameters: Vec<Parameter>,
}

impl Updater {
    /// `stages` begins with that from step 0 on; `moments` are those of SWA.
    pub(super) fn new<M: Module>(
        recipe: Recipe,
        stages: Vec<Stage>,
        moments: Option<Moments>,
        model: &M,
    ) -> Self {
        Updater {
            stage: stages[0].clone(),
            stages,
            steps: 0,
            slow: Slow::new(&recipe, model),
            mean: Mean::new(&recipe, moments, model),
            device: model.devices().into_iter().next().unwrap_or_default(),
            parameters: target::parameters(model),
            recipe,
        }
    }

    /// What this optimizer does.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `model` at the point near by where the loss is worst, after its mean gradient `grads`; what
    /// [`step`](Self::step) is to be given is the gradient there. `None` without `sharpness`.
    ///
    /// The model that comes back shares no running statistics with `model`: those of `batch_norm`
    /// stay as the first pass left them. Nothing is read back from the device, and a gradient of 0
    /// gives the model as it is. See [`Sharpness`](super::Sharpness) for the formulas.
    pub fn ascend<M: Module>(&self, model: &M, grads: &GradientsParams) -> Option<M> {
        let sharpness = self.recipe.sharpness.as_ref()?;
        Some(sharpness::ascend(model, grads, sharpness))
    }

    /// One step with the learning rate `lr`: clips `grads` and adds noise to them, moves each
    /// parameter of `model` that has one, then brings the averages up.
    ///
    /// Nothing is read back from a GPU. On the processor each parameter is changed in place,
    /// unless somebody else holds a clone of it. A parameter without a gradient stays as it is.
    /// Noise is drawn from the device's random numbers. The model that comes back is in training.
    pub fn step<M: Module>(&mut self, lr: f64, mut model: M, grads: GradientsParams) -> M {
        if !model.devices().iter().all(Device::is_autodiff) {
            model = model.valid().train();
        }
        if let Some(next) = self.next_stage() {
            self.stage = next.clone();
        }
        let mut grads = match self.recipe.clip {
            Some(Clip::GlobalNorm { max_norm }) => clip_global_norm(&model, grads, max_norm),
            None => grads,
        };
        if let Some(noise) = &self.recipe.noise {
            grads = noise::add(&model, grads, noise, self.steps);
        }
        let grads = steepest::directions(&model, grads, &self.stage.descents);
        let mut model = self.stage.optimizer.step(lr, model, grads);
        self.steps = self.steps.saturating_add(1);
        if let Some(slow) = &mut self.slow {
            model = slow.follow(model, self.steps);
        }
        if let Some(mean) = &mut self.mean {
            mean.follow(&model, self.steps);
        }
        model
    }

    /// The average of `ema` or `swa`, as `model` with other weights and ready for inference; without
    /// them the slow weights of `lookahead`, with the running statistics of `model`. `None` without
    /// any, and before the first moment of `swa`.
    ///
    /// Running statistics are averaged like weights. For `ema` that is what they are; the mean of
    /// `swa` has to measure its own, with
    /// [`update_batch_norm`](crate::train::update_batch_norm).
    pub fn averaged<M: Module>(&self, model: &M) -> Option<M> {
        match (&self.mean, &self.slow) {
            (Some(mean), _) => Some(mean.weights.as_ref()?.valid(model)),
            (None, Some(slow)) => Some(slow.weights.train(model.valid().train()).valid()),
            (None, None) => None,
        }
    }

    /// The whole state, for a checkpoint: reads it back from the device.
    pub fn to_record(&self) -> UpdaterRecord {
        let mean = self.mean.as_ref();
        UpdaterRecord {
            steps: self.steps,
            count: mean.map_or(0, |mean| mean.count),
            minimiser: false,
            rules: self
                .next_stage()
                .unwrap_or(&self.stage)
                .optimizer
                .to_record(),
            slow: self.slow.as_ref().map(|slow| slow.weights.to_data()),
            mean: mean
                .and_then(|mean| mean.weights.as_ref())
                .map(Weights::to_data),
        }
    }

    /// Goes on from the state in `record`: the steps that follow have the bits that they would have
    /// had.
    ///
    /// State belongs to parameters by their identity, which Burn saves with the model and restores
    /// when the model's record is loaded. Load both, in either order.
    ///
    /// # Errors
    ///
    /// [`OptimizerError::Record`] where the rules that hold at that step are of another kind than
    /// those that wrote the record, [`OptimizerError::Foreign`] where it has other averages, or
    /// state or averages of a model with other paths or shapes, and [`OptimizerError::Damaged`]
    /// where Burn cannot read it.
    pub fn load_record(mut self, record: UpdaterRecord) -> Result<Self, OptimizerError> {
        let UpdaterRecord {
            steps,
            count,
            minimiser,
            rules,
            slow,
            mean,
        } = record;
        if minimiser {
            let reason = "it is that of a rule that evaluates the loss".into();
            return Err(OptimizerError::Foreign { reason });
        }
        let (rules, states) = record::states(rules)?;
        let expected = self.mean.as_ref().is_some_and(|mean| mean.has_begun(count));
        self.check(slow.as_deref(), self.slow.is_some(), "lookahead")?;
        self.check(mean.as_deref(), expected, "ema or swa")?;
        let begun = |stage: &&Stage| stage.start <= steps;
        let stage = self.stages.iter().rev().find(begun).unwrap_or(&self.stage);
        let fits = |state: &State| {
            let mut parameters = self.parameters.iter();
            let parameter = parameters.find(|parameter| parameter.path == state.path);
            parameter.is_some_and(|parameter| state.fits(parameter, &stage.rules))
        };
        if let Some(state) = states.iter().find(|state| !fits(state)) {
            let path = &state.path;
            return Err(OptimizerError::Foreign {
                reason: format!("its state of `{path}` is that of a parameter of another model"),
            });
        }
        let found = rules.len();
        let optimizer = stage.optimizer.clone().load_record(rules);
        let used = optimizer.to_record().len();
        if used != found {
            let recipe = self.recipe.to_string().replace('\n', " ");
            return Err(OptimizerError::Record {
                found,
                used,
                recipe,
            });
        }
        self.stage = Stage {
            optimizer,
            ..stage.clone()
        };
        self.steps = steps;
        if let (Some(to), Some(from)) = (&mut self.slow, slow) {
            to.weights = Weights::from_data(from, &self.device);
        }
        if let Some(to) = &mut self.mean {
            to.count = count;
            to.weights = mean.map(|from| Weights::from_data(from, &self.device));
        }
        Ok(self)
    }

    /// The stage that begins with the step to come.
    fn next_stage(&self) -> Option<&Stage> {
        let mut later = self.stages.iter().skip(1);
        later.find(|stage| stage.start == self.steps)
    }

    /// Whether the weights of an average in a record are those that this optimizer keeps.
    fn check(
        &self,
        weights: Option<&[TensorData]>,
        expected: bool,
        average: &str,
    ) -> Result<(), OptimizerError> {
        let foreign = |reason| Err(OptimizerError::Foreign { reason });
        let Some(weights) = weights else {
            return match expected {
                true => foreign(format!("it holds no weights of `{average}`")),
                false => Ok(()),
            };
        };
        if !expected {
            return foreign(format!(
                "it holds weights of `{average}`, which this one has not"
            ));
        }
        let flat = |data: &TensorData| (data.rank() == 1).then(|| data.num_elements());
        let known = weights.iter().all(|data| data.dtype().is_float());
        let sizes = self.parameters.iter();
        let sizes = sizes.map(|parameter| parameter.shape.num_elements());
        if !known || !weights.iter().map(flat).eq(sizes.map(Some)) {
            return foreign(format!(
                "its weights of `{average}` are those of another model"
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for Updater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updater")
            .field("recipe", &self.recipe)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}
