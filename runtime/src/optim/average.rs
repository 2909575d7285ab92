//! Averages of the weights: lookahead's slow weights, the exponential average, and the mean at
//! some moments.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::clip::in_single;
use super::{Average, Recipe};
use crate::schedule::{Horizon, Time};

/// An average of the weights and running statistics of a model, in the order in which they are
/// visited, each flattened; in single precision at least.
#[derive(Clone)]
pub(super) struct Weights(Vec<Tensor<1>>);

impl Weights {
    /// Those of `model` as they are.
    pub(super) fn of<M: Module>(model: &M) -> Weights {
        let mut copying = Copying(Vec::new());
        // `valid` takes over running statistics that wait to be.
        model.valid().visit(&mut copying);
        Weights(copying.0)
    }

    /// Goes a `share` of the way to the weights of `model`: `a ← a + share · (w - a)`. What equals
    /// its average keeps its bits.
    pub(super) fn approach<M: Module>(&mut self, model: &M, share: f64) {
        let mut approaching = Approaching {
            averages: self.0.iter_mut(),
            share,
        };
        model.valid().visit(&mut approaching);
    }

    /// `model` with these weights and running statistics, for inference.
    pub(super) fn valid<M: Module>(&self, model: &M) -> M {
        self.written(model.valid(), false)
    }

    /// `model` with these weights where it has parameters in training; the others and the running
    /// statistics stay.
    pub(super) fn train<M: Module>(&self, model: M) -> M {
        self.written(model, true)
    }

    fn written<M: Module>(&self, model: M, trained_alone: bool) -> M {
        let mut writing = Writing {
            averages: self.0.iter(),
            trained_alone,
        };
        model.map(&mut writing)
    }

    pub(super) fn to_data(&self) -> Vec<TensorData> {
        self.0.iter().map(Tensor::to_data).collect()
    }

    /// What [`to_data`](Self::to_data) gave.
    pub(super) fn from_data(data: Vec<TensorData>, device: &Device) -> Weights {
        let tensors = data.into_iter().map(|data| {
            let dtype = data.dtype();
            Tensor::from_data(data, (device, dtype))
        });
        Weights(tensors.collect())
    }
}

/// The moments at which stochastic weight averaging looks at the weights, in steps.
#[derive(Clone, Copy)]
pub(super) struct Moments {
    from: f64,
    every: f64,
}

impl Moments {
    pub(super) fn new(from: Time, every: Time, horizon: &Horizon) -> Result<Moments, String> {
        let steps = horizon.steps;
        let from = from.steps(horizon);
        if from > steps as f64 {
            return Err(format!(
                "`from` must lie within the {steps} steps of training, found step {}",
                from.ceil(),
            ));
        }
        // Several moments within a step are one.
        let every = every.steps(horizon).max(1.0);
        Ok(Moments { from, every })
    }

    /// Whether a moment came with the step that made them `steps`.
    pub(super) fn come(&self, steps: u64) -> bool {
        let count = |steps: u64| ((steps as f64 - self.from) / self.every).floor();
        steps as f64 >= self.from && count(steps) > count(steps.saturating_sub(1))
    }
}

/// Lookahead.
#[derive(Clone)]
pub(super) struct Slow {
    k: u64,
    alpha: f64,
    pub weights: Weights,
}

impl Slow {
    pub(super) fn new<M: Module>(recipe: &Recipe, model: &M) -> Option<Slow> {
        recipe.average.iter().find_map(|average| match *average {
            Average::Lookahead { k, alpha } => Some(Slow {
                k: k as u64,
                alpha,
                weights: Weights::of(model),
            }),
            _ => None,
        })
    }

    /// What becomes of the fast weights of `model` after that many steps.
    pub(super) fn follow<M: Module>(&mut self, model: M, steps: u64) -> M {
        if !steps.is_multiple_of(self.k) {
            return model;
        }
        self.weights.approach(&model, self.alpha);
        self.weights.train(model)
    }
}

/// The average that training returns.
#[derive(Clone)]
pub(super) struct Mean {
    over: Over,
    /// `None` before the first moment.
    pub weights: Option<Weights>,
    /// How many weights went into it.
    pub count: u64,
}

#[derive(Clone, Copy)]
enum Over {
    Steps { decay: f64 },
    Moments(Moments),
}

impl Mean {
    pub(super) fn new<M: Module>(
        recipe: &Recipe,
        moments: Option<Moments>,
        model: &M,
    ) -> Option<Mean> {
        recipe.average.iter().find_map(|average| {
            let (over, weights) = match *average {
                Average::Ema { decay } => (Over::Steps { decay }, Some(Weights::of(model))),
                Average::Swa { .. } => (Over::Moments(moments?), None),
                Average::Lookahead { .. } => return None,
            };
            Some(Mean {
                over,
                weights,
                count: 0,
            })
        })
    }

    /// Whether there are weights once `count` went in.
    pub(super) fn has_begun(&self, count: u64) -> bool {
        matches!(self.over, Over::Steps { .. }) || count > 0
    }

    /// Takes in the weights of `model` after that many steps, where it is time to.
    pub(super) fn follow<M: Module>(&mut self, model: &M, steps: u64) {
        let share = match self.over {
            Over::Steps { decay } => 1.0 - decay,
            Over::Moments(moments) if moments.come(steps) => 1.0 / (1.0 + self.count as f64),
            Over::Moments(_) => return,
        };
        self.count = self.count.saturating_add(1);
        match &mut self.weights {
            Some(weights) => weights.approach(model, share),
            None => self.weights = Some(Weights::of(model)),
        }
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let numbers = tensor.shape().num_elements();
    in_single(tensor).reshape([numbers])
}

struct Copying(Vec<Tensor<1>>);

impl ModuleVisitor for Copying {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(flat(param.val()));
    }
}

struct Approaching<'a> {
    averages: std::slice::IterMut<'a, Tensor<1>>,
    share: f64,
}

impl ModuleVisitor for Approaching<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(average) = self.averages.next() else {
            return;
        };
        let weight = flat(param.val());
        // A record may hold another type.
        let from = average.clone().to_device(&weight.device());
        let from = from.cast(weight.dtype());
        *average = (weight - from.clone()).mul_scalar(self.share) + from;
    }
}

struct Writing<'a> {
    averages: std::slice::Iter<'a, Tensor<1>>,
    trained_alone: bool,
}

impl ModuleMapper for Writing<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let average = self.averages.next().cloned();
        let Some(average) = average.filter(|_| !self.trained_alone || param.is_require_grad())
        else {
            return param;
        };
        param.map(|weight| {
            let average = average
                .to_device(&weight.device().inner())
                .cast(weight.dtype())
                .reshape(weight.shape());
            if weight.is_autodiff() {
                Tensor::from_inner(average).set_require_grad(weight.is_require_grad())
            } else {
                average
            }
        })
    }
}
