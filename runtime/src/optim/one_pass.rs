//! Burn's optimizers, with a parameter's step in one pass where it is on the processor.
//!
//! Elsewhere Burn's own code runs. The numbers are the same, and so are the records: what Burn's
//! optimizer wrote is read here, and the other way round.

use burn::optim::momentum::MomentumState;
use burn::optim::{
    self, AdamState, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer, RecordState,
    StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};

use crate::kernel::cpu::update::{self, fits};

/// Stochastic gradient descent; the numbers are those of `burns`.
#[derive(Clone)]
pub(super) struct Sgd {
    pub burns: optim::Sgd,
    pub momentum: f32,
    pub nesterov: bool,
    pub weight_decay: f32,
}

impl Optimizer for Sgd {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let velocity = match state {
            Some(SgdState::Burns(state)) => return self.elsewhere(lr, tensor, grad, Some(state)),
            Some(SgdState::Velocity(velocity)) => velocity,
            None => None,
        };
        if !fits([&tensor, &grad]) || velocity.as_ref().is_some_and(|v| !fits([&tensor, v])) {
            let state = velocity.map(|v| optim::SgdState::new(Some(MomentumState::new(v))));
            return self.elsewhere(lr, tensor, grad, state);
        }
        let step = update::Sgd {
            rate: lr as f32,
            scale: 1.0,
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
        };
        if self.momentum == 0.0 {
            let tensor = update::sgd(tensor, grad, step);
            return (tensor, Some(SgdState::Velocity(velocity)));
        }
        let velocity = velocity.unwrap_or_else(|| nothing(&tensor));
        let (tensor, velocity) = update::momentum(tensor, grad, velocity, step);
        (tensor, Some(SgdState::Velocity(Some(velocity))))
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        match state {
            SgdState::Velocity(velocity) => {
                SgdState::Velocity(velocity.map(|velocity| velocity.to_device(device)))
            }
            SgdState::Burns(state) => {
                SgdState::Burns(<optim::Sgd as Optimizer>::to_device(state, device))
            }
        }
    }
}

impl Sgd {
    fn elsewhere<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<optim::SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let (tensor, state) = self.burns.step(lr, tensor, grad, state);
        (tensor, state.map(SgdState::Burns))
    }
}

/// The state of a parameter. Burn's own, which nobody can look into, where Burn takes the steps.
#[derive(Clone)]
pub(super) enum SgdState<const D: usize> {
    Velocity(Option<Tensor<D>>),
    Burns(optim::SgdState<D>),
}

/// The velocity's name in Burn's record, and the state that holds it there.
const VELOCITY: &str = "momentum.velocity";
const MOMENTUM: &str = "momentum";

impl<const D: usize> RecordState for SgdState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        match self {
            SgdState::Velocity(Some(velocity)) => {
                out.push_tensor(prefix, VELOCITY, velocity.clone().into_data());
            }
            SgdState::Velocity(None) => {}
            SgdState::Burns(state) => state.state_flatten(prefix, out),
        }
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        match src.take_tensor(prefix, VELOCITY) {
            Some(data) => Some(SgdState::Velocity(Some(Tensor::from_data(data, device)))),
            // Another optimizer's momentum.
            None if src.has_under(&optim::join_path(prefix, MOMENTUM)) => None,
            None => Some(SgdState::Velocity(None)),
        }
    }
}

/// Adam or AdamW; the numbers are those of `burns`.
#[derive(Clone)]
pub(super) struct Adam {
    pub burns: Adaptive,
    pub beta_1: f32,
    pub beta_2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    pub amsgrad: bool,
}

#[derive(Clone)]
pub(super) enum Adaptive {
    Adam(optim::Adam),
    AdamW(optim::AdamW),
}

impl Optimizer for Adam {
    // AdamW's state is the same but for its name.
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let moments = state.as_ref().map(|state| &state.momentum);
        if self.amsgrad
            || !fits([&tensor, &grad])
            || moments.is_some_and(|at| !fits([&tensor, &at.moment_1, &at.moment_2]))
        {
            return self.elsewhere(lr, tensor, grad, state);
        }
        let state = match state {
            Some(state) => state.momentum,
            None => AdaptiveMomentumState::new(0, nothing(&tensor), nothing(&tensor)),
        };
        let time = state.time.saturating_add(1);
        let step = update::Adam {
            rate: lr,
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
            decoupled: matches!(self.burns, Adaptive::AdamW(_)),
            time,
        };
        let moments = [state.moment_1, state.moment_2];
        let (tensor, [moment_1, moment_2]) = update::adam(tensor, grad, moments, step);
        let momentum = AdaptiveMomentumState {
            time,
            moment_1,
            moment_2,
            max_moment_2: state.max_moment_2,
        };
        (tensor, Some(AdamState::new(momentum)))
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        AdamState::new(state.momentum.to_device(device))
    }
}

impl Adam {
    fn elsewhere<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        match &self.burns {
            Adaptive::Adam(adam) => adam.step(lr, tensor, grad, state),
            Adaptive::AdamW(adamw) => {
                let state = state.map(|state| AdamWState::new(state.momentum));
                let (tensor, state) = adamw.step(lr, tensor, grad, state);
                (tensor, state.map(|state| AdamState::new(state.momentum)))
            }
        }
    }
}

/// A state before the first step: -0, because `x + -0` is `x` for every `x`, 0 and -0 too.
fn nothing<const D: usize>(like: &Tensor<D>) -> Tensor<D> {
    like.full_like(-0.0)
}
