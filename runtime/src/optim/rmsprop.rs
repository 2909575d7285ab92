//! RMSProp with the mean of the gradient subtracted (Graves 2013).

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// Burn 0.22 takes the variance as `s - m²`, which rounding makes negative where a gradient stays
/// the same: its root is no number. Here the variance itself is followed (West
/// 1979), `σ² ← α(σ² + (1 - α)(d - m)²)`, the same number and never below 0.
#[derive(Clone)]
pub(super) struct CenteredRmsProp {
    pub alpha: f64,
    pub momentum: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
}

#[derive(Clone)]
pub(super) struct CenteredState<const D: usize> {
    mean: Tensor<D>,
    variance: Tensor<D>,
    /// The momentum, where there is one.
    step: Option<Tensor<D>>,
}

impl Optimizer for CenteredRmsProp {
    type State<const D: usize> = CenteredState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<CenteredState<D>>,
    ) -> (Tensor<D>, Option<CenteredState<D>>) {
        let d = match self.weight_decay {
            0.0 => grad,
            decay => tensor.clone().mul_scalar(decay) + grad,
        };
        let state = state.unwrap_or_else(|| CenteredState {
            mean: d.zeros_like(),
            variance: d.zeros_like(),
            step: None,
        });
        let away = d.clone() - state.mean.clone();
        let mean = state.mean + away.clone().mul_scalar(1.0 - self.alpha);
        let spread = away.square().mul_scalar(1.0 - self.alpha);
        let variance = (state.variance + spread).mul_scalar(self.alpha);
        let step = d / variance.clone().sqrt().add_scalar(self.epsilon);
        let step = match state.step {
            Some(before) => before.mul_scalar(self.momentum) + step,
            None => step,
        };
        let tensor = tensor - step.clone().mul_scalar(lr);
        let state = CenteredState {
            mean,
            variance,
            step: (self.momentum != 0.0).then_some(step),
        };
        (tensor, Some(state))
    }

    fn to_device<const D: usize>(state: CenteredState<D>, device: &Device) -> CenteredState<D> {
        CenteredState {
            mean: state.mean.to_device(device),
            variance: state.variance.to_device(device),
            step: state.step.map(|step| step.to_device(device)),
        }
    }
}

const MEAN: &str = "mean";
const VARIANCE: &str = "variance";
const STEP: &str = "step";

impl<const D: usize> RecordState for CenteredState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        let whole = [(MEAN, &self.mean), (VARIANCE, &self.variance)];
        let step = self.step.as_ref().map(|step| (STEP, step));
        for (name, tensor) in whole.into_iter().chain(step) {
            out.push_tensor(prefix, name, tensor.clone().into_data());
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let mut take = |name| {
            let data = src.take_tensor(prefix, name)?;
            Some(Tensor::from_data(data, device))
        };
        Some(CenteredState {
            mean: take(MEAN)?,
            variance: take(VARIANCE)?,
            step: take(STEP),
        })
    }
}
