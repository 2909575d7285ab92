//! The networks on the line between two.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use super::finite;
use crate::flatness::FlatnessError;
use crate::optim::{listed, parameters};

/// Two networks with the same parameters.
pub(super) struct Between<'a, M> {
    from: &'a M,
    /// Every parameter and running statistic of the other, flattened, in the order of a visit.
    to: Vec<Tensor<1>>,
}

impl<'a, M: Module> Between<'a, M> {
    pub fn new(from: &'a M, to: &M) -> Result<Self, FlatnessError> {
        let [own, other] = [from, to].map(parameters);
        let own = own
            .iter()
            .map(|parameter| (&parameter.path, &parameter.shape));
        if !own.eq(other
            .iter()
            .map(|parameter| (&parameter.path, &parameter.shape)))
        {
            return Err(FlatnessError::NoParameters {
                asked: "the two are networks with different parameters".into(),
                known: listed(other.iter()),
            });
        }
        let read = |model: &M, what: &str| {
            let mut reading = Reading(Vec::new());
            // `valid` takes over running statistics that wait to be.
            model.valid().visit(&mut reading);
            for numbers in &reading.0 {
                finite(numbers, what)?;
            }
            Ok::<_, FlatnessError>(reading.0)
        };
        read(from, "the first network")?;
        Ok(Between {
            from,
            to: read(to, "the second network")?,
        })
    }

    /// `(1 - α) from + α to`, for inference.
    pub fn at(&self, alpha: f64) -> M {
        let to = self.to.iter();
        self.from.valid().map(&mut Mixing { to, alpha })
    }
}

struct Reading(Vec<Tensor<1>>);

impl ModuleVisitor for Reading {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let numbers = value.shape().num_elements();
        self.0.push(value.reshape([numbers]));
    }
}

struct Mixing<'a> {
    to: std::slice::Iter<'a, Tensor<1>>,
    alpha: f64,
}

impl ModuleMapper for Mixing<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(to) = self.to.next().cloned() else {
            return param;
        };
        param.map(|from| {
            let to = to
                .to_device(&from.device())
                .cast(from.dtype())
                .reshape(from.shape());
            // Each end comes out to the bit, which it does not in `from + α (to - from)`.
            from * (1.0 - self.alpha) + to * self.alpha
        })
    }
}
