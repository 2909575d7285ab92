//! The derivative of a layer that has no rule for it.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};

use super::values::squares;
use super::{Lift, Pass};
use crate::layer::Layer;
use crate::optim::is_trained;

/// What `layer` gives, and its derivative as a central difference of this layer alone,
/// `(f(x + h x', w + h v) - f(x - h x', w - h v)) / 2h`.
///
/// The error is of the order `h²`, and that of rounding of `ε/h`; `h` moves weights and input by
/// `ε^(1/3)` of their length, which balances the two.
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
    let [x, dx] = L::Input::squares(&input);
    let (w, dw) = (
        own.squares,
        along.as_ref().map_or(0.0, |along| along.squares),
    );
    if dx + dw == 0.0 {
        return value.lift();
    }
    pass.note_difference();
    let epsilon: f64 = match own.double || L::Input::is_double(&input) {
        true => f64::EPSILON,
        false => f32::EPSILON.into(),
    };
    let size = (x + w).sqrt().max(1e-3) / (dx + dw).sqrt();
    let h = epsilon.cbrt() * size;
    let [plus, minus] = [h, -h].map(|h| moved(h).forward(L::Input::moved(&input, h)));
    L::Output::between(value, plus, minus, 0.5 / h)
}

/// The float tensors of a module, flattened, in the order in which they are visited.
struct Tensors<'a> {
    flat: Vec<Tensor<1>>,
    /// Which of them are trained, if somebody else knows it.
    known: Option<&'a [bool]>,
    trained: Vec<bool>,
    squares: f64,
    double: bool,
}

impl<'a> Tensors<'a> {
    fn of<L: Module>(layer: &L, known: Option<&'a [bool]>) -> Self {
        let mut tensors = Tensors {
            flat: Vec::new(),
            known,
            trained: Vec::new(),
            squares: 0.0,
            double: false,
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
        }
        self.double |= tensor.dtype() == DType::F64;
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
