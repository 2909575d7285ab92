//! Muon for the matrices of linear layers, which Burn keeps transposed.

use burn::optim::momentum::MomentumConfig;
use burn::optim::{self, LearningRate, MuonConfig, MuonState, Optimizer};
use burn::tensor::{Device, Tensor};

use super::AdjustLr;

/// Burn's Muon, with a learning rate for `[in, out]`. Burn 0.22's own is for PyTorch's
/// `[out, in]`, though its linear layers are not.
#[derive(Clone)]
pub(super) struct Muon {
    burns: optim::Muon,
    weight_decay: f64,
    adjust_lr: AdjustLr,
}

impl Muon {
    pub fn new(
        momentum: f64,
        nesterov: bool,
        weight_decay: f64,
        steps: usize,
        adjust_lr: AdjustLr,
    ) -> Self {
        let momentum = MomentumConfig::new()
            .with_momentum(momentum)
            .with_dampening(0.0)
            .with_nesterov(nesterov);
        // Its decay would be that of the rate it is given, which is not ours.
        let burns = MuonConfig::new()
            .with_momentum(momentum)
            .with_ns_steps(steps)
            .with_adjust_lr_fn(match adjust_lr {
                AdjustLr::Original => optim::AdjustLrFn::Original,
                AdjustLr::MatchRmsAdamW => optim::AdjustLrFn::MatchRmsAdamW,
            })
            .build();
        Muon {
            burns,
            weight_decay,
            adjust_lr,
        }
    }
}

impl Optimizer for Muon {
    type State<const D: usize> = MuonState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<MuonState<D>>,
    ) -> (Tensor<D>, Option<MuonState<D>>) {
        let shape = tensor.dims();
        // Burn panics on what is no matrix; `init` refuses it.
        let [rows, columns] = shape[..] else {
            return (tensor, state);
        };
        let transposed = match self.adjust_lr {
            // √max(1, columns/rows) over Burn's √max(1, rows/columns).
            AdjustLr::Original => (columns as f64 / rows as f64).sqrt(),
            AdjustLr::MatchRmsAdamW => 1.0,
        };
        let tensor = match self.weight_decay {
            0.0 => tensor,
            decay => tensor.mul_scalar(1.0 - lr * decay),
        };
        self.burns.step(lr * transposed, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: MuonState<D>, device: &Device) -> MuonState<D> {
        <optim::Muon as Optimizer>::to_device(state, device)
    }
}
