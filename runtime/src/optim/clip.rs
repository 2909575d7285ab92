//! Clipping by the norm of all gradients together (Pascanu, Mikolov and Bengio 2013).

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, FloatDType, Tensor};

use crate::device;
#[cfg(any(feature = "flex", feature = "ndarray"))]
use crate::kernel::cpu::update;

/// PyTorch's guard against a division by zero.
const EPSILON: f64 = 1e-6;

/// The Euclidean norm of all gradients of `model` together, `√(Σ g²)`, a tensor of shape `[1]`.
///
/// Nothing is read back from the device. Half-precision gradients are summed in single precision.
/// The norm of no gradients is 0.
pub fn global_norm<M: Module>(model: &M, grads: &GradientsParams) -> Tensor<1> {
    let mut norm = Norm {
        grads,
        met: HashSet::new(),
        squares: None,
    };
    model.visit(&mut norm);
    match norm.squares {
        Some(squares) => squares.sqrt(),
        None => Tensor::zeros([1], &model.devices().into_iter().next().unwrap_or_default()),
    }
}

/// The gradients of `model`, scaled so that their [`global_norm`] is at most `max_norm`:
/// `g · min(1, max_norm / (‖g‖ + 1e-6))`, the rule of PyTorch's `clip_grad_norm_`.
///
/// Gradients below the bound come back bit for bit. One that is not a number makes all of them so,
/// as in PyTorch: hiding it would let the run go on. Burn's own `GradientClipping::Norm` clips
/// each tensor by its own norm, which changes the direction of the step; this does not.
pub fn clip_global_norm<M: Module>(
    model: &M,
    grads: GradientsParams,
    max_norm: f64,
) -> GradientsParams {
    let scale = (global_norm(model, &grads) + EPSILON).recip() * max_norm;
    // Written as a comparison because backends differ in what the smaller of 1 and NaN is.
    let within = scale.clone().greater_scalar(1.0);
    let scale = scale.mask_fill(within, 1.0);
    let scale = if device::is_host(&scale.device()) {
        // Reading it waits for nothing, and most steps of most runs are not clipped.
        match scale.into_scalar::<f64>() {
            1.0 => return grads,
            scale => Scale::Number(scale),
        }
    } else {
        Scale::Tensor(Box::new(scale))
    };
    let mut scaling = Scaling {
        scale,
        grads,
        scaled: GradientsParams::new(),
    };
    model.visit(&mut scaling);
    scaling.scaled
}

struct Norm<'a> {
    grads: &'a GradientsParams,
    met: HashSet<ParamId>,
    squares: Option<Tensor<1>>,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.get::<D>(param.id) else {
            return;
        };
        if !self.met.insert(param.id) {
            return;
        }
        let squares = sum_of_squares(grad);
        self.squares = Some(match self.squares.take() {
            Some(sum) => {
                let device = sum.device();
                sum + squares.to_device(&device)
            }
            None => squares,
        });
    }
}

/// `Σ x²`, a tensor of shape `[1]`; half precision is summed in single precision.
pub(super) fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    #[cfg(any(feature = "flex", feature = "ndarray"))]
    if update::fits([&tensor]) {
        return update::squares(tensor);
    }
    in_single(tensor).square().sum()
}

/// Half precision ends at 65504, and the square of 256 is beyond it.
pub(crate) fn in_single<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    match tensor.dtype() {
        DType::F16 | DType::BF16 => tensor.cast(FloatDType::F32),
        _ => tensor,
    }
}

enum Scale {
    Number(f64),
    Tensor(Box<Tensor<1>>),
}

struct Scaling {
    scale: Scale,
    grads: GradientsParams,
    scaled: GradientsParams,
}

impl ModuleVisitor for Scaling {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.remove::<D>(param.id) else {
            return;
        };
        let scaled = match &self.scale {
            Scale::Number(scale) => grad.mul_scalar(*scale),
            Scale::Tensor(scale) => {
                let scale = scale.clone().to_device(&grad.device()).cast(grad.dtype());
                grad * scale.reshape([1; D])
            }
        };
        self.scaled.register(param.id, scaled);
    }
}
