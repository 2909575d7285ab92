//! The worst point near by: where SAM and ASAM take the gradient.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::clip::in_single;
use super::target;
use super::{Sharpness, global_norm};

/// What stands beside a norm, so that a gradient of 0 leads nowhere instead of to NaN.
const EPSILON: f64 = 1e-12;

/// `model` at the worst point near by, of the `sharpness` and the gradients that are given, ready
/// for the second pass.
///
/// Its running statistics are its own: a pass moves those of all clones of a model, and the second
/// pass must not move the ones of the first.
pub(super) fn ascend<M: Module>(model: &M, grads: &GradientsParams, sharpness: &Sharpness) -> M {
    let model = model.valid();
    let (rho, eta) = match *sharpness {
        Sharpness::Sam { rho } => (rho, None),
        Sharpness::Asam { rho, eta } => (rho, Some(eta)),
    };
    let etas = etas(&model, eta);
    let mut scaling = Scaling {
        grads,
        etas: etas.iter(),
        scaled: GradientsParams::new(),
    };
    model.visit(&mut scaling);
    let norm = global_norm(&model, &scaling.scaled);
    let mut ascent = Ascent {
        scale: norm.add_scalar(EPSILON).recip().mul_scalar(rho),
        etas: etas.iter(),
        scaled: scaling.scaled,
    };
    model.map(&mut ascent).train()
}

/// For each parameter the `eta` of its `|w| + eta`; `None`, or the end, stands for a 1 instead.
fn etas<M: Module>(model: &M, eta: Option<f64>) -> Vec<Option<f64>> {
    let Some(eta) = eta else {
        return Vec::new();
    };
    let parameters = target::parameters(model);
    let etas = parameters.iter();
    etas.map(|parameter| (!parameter.shifts()).then_some(eta))
        .collect()
}

/// `T`, in single precision at least.
fn size<const D: usize>(weight: Tensor<D>, eta: f64) -> Tensor<D> {
    in_single(weight).abs().add_scalar(eta)
}

/// Collects `Tg`.
struct Scaling<'a> {
    grads: &'a GradientsParams,
    etas: std::slice::Iter<'a, Option<f64>>,
    scaled: GradientsParams,
}

impl ModuleVisitor for Scaling<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let eta = self.etas.next().copied().flatten();
        let Some(grad) = self.grads.get::<D>(param.id) else {
            return;
        };
        let scaled = match eta {
            Some(eta) => in_single(grad) * size(param.val(), eta),
            None => grad,
        };
        self.scaled.register(param.id, scaled);
    }
}

/// `w + scale · T(Tg)`
struct Ascent<'a> {
    scale: Tensor<1>,
    etas: std::slice::Iter<'a, Option<f64>>,
    scaled: GradientsParams,
}

impl ModuleMapper for Ascent<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let eta = self.etas.next().copied().flatten();
        let Some(scaled) = self.scaled.remove::<D>(param.id) else {
            return param;
        };
        param.map(|weight| {
            // The scale of a small gradient is beyond half precision.
            let mut step = in_single(scaled);
            if let Some(eta) = eta {
                step = step * size(weight.clone(), eta);
            }
            let scale = self.scale.clone().to_device(&step.device());
            let scale = scale.cast(step.dtype()).reshape([1; D]);
            let step = step * scale;
            weight.clone() + step.cast(weight.dtype())
        })
    }
}
