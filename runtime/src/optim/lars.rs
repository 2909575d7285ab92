//! Layer-wise adaptive rate scaling (You, Gitman and Ginsburg 2017).

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

use super::clip::sum_of_squares;
#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::kernel::cpu::update::{self, fits};

/// The rule that [`Update::Lars`](super::Update::Lars) describes.
#[derive(Clone)]
pub(super) struct Lars {
    pub momentum: f32,
    pub nesterov: bool,
    pub weight_decay: f32,
    pub trust_coefficient: f32,
    pub clip: bool,
}

/// The velocity, once there is one. It is that of the parameter, the learning rate in it.
#[derive(Clone)]
pub(super) struct LarsState<const D: usize> {
    velocity: Option<Tensor<D>>,
}

const VELOCITY: &str = "lars_velocity";

impl<const D: usize> RecordState for LarsState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        if let Some(velocity) = &self.velocity {
            out.push_tensor(prefix, VELOCITY, velocity.clone().into_data());
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let data = src.take_tensor(prefix, VELOCITY);
        let velocity = data.map(|data| Tensor::from_data(data, device));
        Some(LarsState { velocity })
    }
}

impl Optimizer for Lars {
    type State<const D: usize> = LarsState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<LarsState<D>>,
    ) -> (Tensor<D>, Option<LarsState<D>>) {
        let velocity = state.and_then(|state| state.velocity);
        #[cfg(any(feature = "flex", feature = "ndarray"))]
        if fits([&tensor, &grad]) && velocity.as_ref().is_none_or(|v| fits([&tensor, v])) {
            let step = update::Lars {
                rate: lr as f32,
                momentum: self.momentum,
                nesterov: self.nesterov,
                weight_decay: self.weight_decay,
                trust_coefficient: self.trust_coefficient,
                clip: self.clip,
            };
            let (tensor, velocity) = update::lars(tensor, grad, velocity, step);
            return (tensor, Some(LarsState { velocity }));
        }
        let d = self.scaled(lr, &tensor, grad);
        if self.momentum == 0.0 {
            return (tensor - d, Some(LarsState { velocity }));
        }
        let velocity = match velocity {
            Some(velocity) => velocity.mul_scalar(self.momentum) + d.clone(),
            None => d.clone(),
        };
        let moved = if self.nesterov {
            velocity.clone().mul_scalar(self.momentum) + d
        } else {
            velocity.clone()
        };
        let velocity = Some(velocity);
        (tensor - moved, Some(LarsState { velocity }))
    }

    fn to_device<const D: usize>(state: LarsState<D>, device: &Device) -> LarsState<D> {
        LarsState {
            velocity: state.velocity.map(|velocity| velocity.to_device(device)),
        }
    }
}

impl Lars {
    /// `γλ(g + weight_decay·w)`. Nothing is read back from the device.
    fn scaled<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: &Tensor<D>,
        grad: Tensor<D>,
    ) -> Tensor<D> {
        let weight = sum_of_squares(tensor.clone()).sqrt();
        let gradient = sum_of_squares(grad.clone()).sqrt();
        let none = weight
            .clone()
            .equal_scalar(0.0)
            .bool_or(gradient.clone().equal_scalar(0.0));
        let below = gradient + weight.clone().mul_scalar(self.weight_decay);
        let local = weight.mul_scalar(self.trust_coefficient) / below;
        let local = local.mask_fill(none, 1.0);
        let rate = if self.clip {
            // Written as a comparison because backends differ in what the smaller of two is where
            // one is not a number.
            let beyond = local.clone().greater_scalar(lr);
            local.mask_fill(beyond, lr)
        } else {
            local.mul_scalar(lr)
        };
        let rate = rate.cast(tensor.dtype());
        let decayed = match self.weight_decay {
            0.0 => grad,
            decay => tensor.clone().mul_scalar(decay) + grad,
        };
        decayed * rate.reshape([1; D])
    }
}
