//! What a training asks of a model's parameters.

use burn::module::{ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::model::Model;

/// The path of a parameter or running statistic that holds a NaN or an infinity.
pub(super) fn non_finite_parameter<M: Model>(model: &M) -> Option<String> {
    let mut finder = NonFinite::default();
    model.visit(&mut finder);
    finder.found
}

#[derive(Default)]
struct NonFinite {
    path: Vec<String>,
    found: Option<String>,
}

impl ModuleVisitor for NonFinite {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.found.is_none() && !param.val().is_finite().all().into_scalar::<bool>() {
            self.found = Some(self.path.join("."));
        }
    }
}

/// Whether any parameter takes a gradient.
pub(super) fn is_trainable<M: Model>(model: &M) -> bool {
    struct Trainable(bool);
    impl ModuleVisitor for Trainable {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.is_require_grad();
        }
    }
    let mut trainable = Trainable(false);
    model.clone().train().visit(&mut trainable);
    trainable.0
}
