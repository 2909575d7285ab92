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
    let moves = along.as_ref().map_or(0.0, |along| along.squares);
    let weights = Scale::new(own.trained_numbers, 1, own.squares, moves, own.epsilon);
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
    /// How many numbers are trained, and the sum of their squares.
    trained_numbers: usize,
    squares: f64,
    /// The coarsest precision.
    epsilon: f64,
}

impl<'a> Tensors<'a> {
    fn of<L: Module>(layer: &L, known: Option<&'a [bool]>) -> Self {
        let mut tensors = Tensors {
            flat: Vec::new(),
            known,
            trained: Vec::new(),
            trained_numbers: 0,
            squares: 0.0,
            epsilon: 0.0,
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
            self.squares += squares(&tensor);
            self.trained_numbers += tensor.shape().num_elements();
        }
        self.epsilon = self.epsilon.max(epsilon(&tensor));
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

/// How far numbers may be moved along their derivatives for a central difference, and in which
/// precision they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scale {
    reach: Option<f64>,
    epsilon: f64,
}

impl Scale {
    /// Of `count` numbers, which are one place of a function or of `places` independent ones, from
    /// the sums of squares of the numbers and of their derivatives.
    ///
    /// The difference is off by the order of `h²` and, by rounding, of `ε/h`: balanced where `h`
    /// moves the numbers by `ε^(1/3)` of the length on which the function bends. That is taken to be
    /// between the length of all numbers, for a direction in which they move alike, and the mean
    /// size of one, for a direction in which few move: their geometric mean. Numbers near zero count
    /// as of a size of 0.03, that of weights of a wide layer.
    fn new(count: usize, places: usize, values: f64, tangents: f64, epsilon: f64) -> Scale {
        let length = values.sqrt().max(0.03 * (count as f64).sqrt());
        let length = length / (count as f64 / places as f64).powf(0.25);
        Scale {
            reach: (tangents > 0.0).then(|| length / tangents.sqrt()),
            epsilon,
        }
    }

    /// Of numbers that are one place together. Read from the device.
    pub(crate) fn of(value: &Tensor<1>, tangent: &Tensor<1>) -> Scale {
        let [count] = value.dims();
        Scale::new(count, 1, squares(value), squares(tangent), epsilon(value))
    }

    /// Of a batch, whose examples are places of their own. Read from the device.
    pub(crate) fn of_batch<const D: usize>(
        value: &Tensor<D>,
        tangent: Option<&Tensor<D>>,
    ) -> Scale {
        let count = value.shape().num_elements();
        let (places, epsilon) = (value.dims()[0].max(1), epsilon(value));
        match tangent {
            Some(tangent) => Scale::new(count, places, squares(value), squares(tangent), epsilon),
            None => Scale {
                reach: None,
                epsilon,
            },
        }
    }

    pub(crate) fn and(self, other: Scale) -> Scale {
        let reach = match (self.reach, other.reach) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Scale {
            reach,
            epsilon: self.epsilon.max(other.epsilon),
        }
    }

    /// How far to go along the direction, nothing where nothing changes.
    pub(crate) fn step(self) -> Option<f64> {
        Some(self.epsilon.cbrt() * self.reach?)
    }
}

/// Read from the device.
fn squares<const D: usize>(tensor: &Tensor<D>) -> f64 {
    tensor.clone().inner().square().sum().into_scalar()
}

fn epsilon<const D: usize>(tensor: &Tensor<D>) -> f64 {
    let info = tensor.dtype().finfo();
    info.map_or(f64::from(f32::EPSILON), |info| info.epsilon)
}
