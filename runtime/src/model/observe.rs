//! Looking into a running network: what every layer gives.

use burn::tensor::Tensor;

use super::Model;
use super::path::Path;

/// Sees the output of every layer in the order in which they run.
pub trait Observe {
    /// Whether anybody looks. If not, a layer may join the next one in a single pass; the numbers
    /// are the same.
    const LOOKS: bool = true;

    /// `value` is what the layer at `path` gave; within a `repeat` the path is relative to what
    /// [`enter`](Self::enter) named.
    fn see<const D: usize>(&mut self, path: &str, value: &Tensor<D>);

    /// The repetition number `index` of the `repeat` at `path` begins.
    fn enter(&mut self, _path: &str, _index: usize) {}

    /// The network at `path` within this one begins.
    fn model(&mut self, _path: &str) {}

    /// The repetition or the network ends.
    fn exit(&mut self) {}
}

/// Nobody looks; this costs nothing.
impl Observe for () {
    const LOOKS: bool = false;

    fn see<const D: usize>(&mut self, _path: &str, _value: &Tensor<D>) {}
}

/// The path of the first layer whose output holds a NaN or an infinity.
pub fn first_non_finite<M: Model>(model: &M, input: M::Input) -> Option<String> {
    let mut finder = Finder::default();
    model.observe(input, &mut finder);
    finder.found
}

#[derive(Default)]
struct Finder {
    path: Path,
    found: Option<String>,
}

impl Observe for Finder {
    fn see<const D: usize>(&mut self, path: &str, value: &Tensor<D>) {
        if self.found.is_none() && !value.clone().is_finite().all().into_scalar::<bool>() {
            self.found = Some(self.path.of(path));
        }
    }

    fn enter(&mut self, path: &str, index: usize) {
        self.path.enter(path, index);
    }

    fn model(&mut self, path: &str) {
        self.path.model(path);
    }

    fn exit(&mut self) {
        self.path.exit();
    }
}
