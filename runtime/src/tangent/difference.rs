//! The derivative of a layer that has no rule for it.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::{Lift, Pass};
use crate::layer::Layer;
use crate::optim::is_trained;

/// What `layer` gives, and its derivative as a central difference of this layer alone,
/// `(f(x + h x', w + h v) - f(x - h x', w - h v)) / 2h`.
///
/// `h` is [`Scale::step`].
pub(crate) fn difference<L: Layer>(
    layer: &L,
    direction: Option<&L>,
    input: <L::Input as Lift>::Dual,
    pass: &mut Pass,
) -> <L::Output as Lift>::Dual {
    // Noise is off in a frozen layer.
    let still = layer.valid().train().freeze();
    let own = Tensors::of(layer, None);
    let along = direction.map(|direction| Tensors::of(direction, Some(&own.trained)));
    let moved = |by: f64| {
        let mut moving = Moving {
            own: &own,
            along: along.as_ref(),
            at: 0,
            by,
        };
        still.clone().map(&mut moving)
    };
    let value = moved(0.0).forward(L::Input::values(&input));
    let weights = Scale {
        tangents: along.as_ref().map_or(0.0, |along| along.scale.values),
        ..own.scale
    };
    let Some(h) = L::Input::scale(&input).and(weights).step() else {
        return value.lift();
    };
    pass.note_difference();
    let [plus, minus] = [h, -h].map(|h| moved(h).forward(L::Input::moved(&input, h)));
    L::Output::between(value, plus, minus, 0.5 / h)
}

/// The float tensors of a module, flattened, in the order in which they are visited.
struct Tensors<'a> {
    flat: Vec<Tensor<1>>,
    /// Which of them are trained, if somebody else knows it.
    known: Option<&'a [bool]>,
    trained: Vec<bool>,
    scale: Scale,
}

impl<'a> Tensors<'a> {
    fn of<L: Module>(layer: &L, known: Option<&'a [bool]>) -> Self {
        let mut tensors = Tensors {
            flat: Vec::new(),
            known,
            trained: Vec::new(),
            scale: Scale::default(),
        };
        layer.visit(&mut tensors);
        tensors
    }
}

impl ModuleVisitor for Tensors<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let trained = match self.known {
            Some(known) => known.get(self.trained.len()).copied().unwrap_or_default(),
            None => is_trained(param),
        };
        if trained {
            self.scale = self.scale.and(Scale::of(&tensor, None));
        }
        self.trained.push(trained);
        let numbers = tensor.shape().num_elements();
        self.flat.push(tensor.reshape([numbers]));
    }
}

/// Moves the trained tensors by a multiple of those along the direction.
struct Moving<'a> {
    own: &'a Tensors<'a>,
    along: Option<&'a Tensors<'a>>,
    at: usize,
    by: f64,
}

impl ModuleMapper for Moving<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let at = self.at;
        self.at += 1;
        let Some(own) = self.own.flat.get(at).filter(|_| self.own.trained[at]) else {
            return param;
        };
        let along = self.along.and_then(|along| along.flat.get(at));
        param.map(|tensor| {
            let own = own.clone().reshape(tensor.shape());
            match along {
                Some(along) => own + along.clone().reshape(tensor.shape()) * self.by,
                None => own,
            }
        })
    }
}

/// How large numbers are, and their derivatives along a direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scale {
    /// The sum of the squares of the numbers.
    values: f64,
    /// The same of the derivatives.
    tangents: f64,
    numbers: usize,
    /// The coarsest precision among them.
    epsilon: f64,
}

impl Scale {
    /// Read from the device.
    pub(crate) fn of<const D: usize>(value: &Tensor<D>, tangent: Option<&Tensor<D>>) -> Scale {
        let squares = |tensor: &Tensor<D>| tensor.clone().inner().square().sum().into_scalar();
        let info = value.dtype().finfo();
        Scale {
            values: squares(value),
            tangents: tangent.map_or(0.0, squares),
            numbers: value.shape().num_elements(),
            epsilon: info.map_or(0.0, |info| info.epsilon),
        }
    }

    pub(crate) fn and(self, other: Scale) -> Scale {
        Scale {
            values: self.values + other.values,
            tangents: self.tangents + other.tangents,
            numbers: self.numbers + other.numbers,
            epsilon: self.epsilon.max(other.epsilon),
        }
    }

    /// How far to go along the direction for a central difference, nothing where nothing changes.
    ///
    /// The difference is off by the order of `h²` and, by rounding, of `ε/h`: balanced where `h`
    /// moves the numbers by `ε^(1/3)` of the length on which the function bends. That is taken to be between
    /// the length of all numbers, for a direction in which they move alike, and the mean size of one, for a
    /// direction in which few move: their geometric mean.
    pub(crate) fn step(self) -> Option<f64> {
        if self.tangents == 0.0 {
            return None;
        }
        let length = self.values.sqrt().max(1e-3) / (self.numbers as f64).powf(0.25);
        Some(self.epsilon.cbrt() * length / self.tangents.sqrt())
    }
}
