//! Looking into a running network: what every layer gives.

use burn::tensor::Tensor;

use super::Model;

/// Sees the output of every layer in the order in which they run.
pub trait Observe {
    /// `value` is what the layer at `path` gave; within a `repeat` the path is relative to what
    /// [`enter`](Self::enter) named.
    fn see<const D: usize>(&mut self, path: &str, value: &Tensor<D>);

    /// The repetition number `index` of the `repeat` at `path` begins.
    fn enter(&mut self, _path: &str, _index: usize) {}

    /// It ends.
    fn exit(&mut self) {}
}

/// Nobody looks; this costs nothing.
impl Observe for () {
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
    prefix: Vec<String>,
    found: Option<String>,
}

impl Observe for Finder {
    fn see<const D: usize>(&mut self, path: &str, value: &Tensor<D>) {
        if self.found.is_some() || value.clone().is_finite().all().into_scalar::<bool>() {
            return;
        }
        let mut path: Vec<&str> = [path].into_iter().filter(|path| !path.is_empty()).collect();
        let prefix = self.prefix.iter().map(String::as_str);
        path.splice(0..0, prefix);
        self.found = Some(path.join("."));
    }

    fn enter(&mut self, path: &str, index: usize) {
        self.prefix.push(if path.is_empty() {
            index.to_string()
        } else {
            format!("{path}.{index}")
        });
    }

    fn exit(&mut self) {
        self.prefix.pop();
    }
}
