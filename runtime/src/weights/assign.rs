//! Tensors of a file to the parameters of a module: first all are read and compared, then all are
//! put in.

use std::collections::{BTreeSet, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::store::{ModuleAdapter, ModuleContext, PyTorchToBurnAdapter, bridge};
use burn::tensor::{Bool, DType, Int, Shape, Tensor, TensorData};

use super::names::{container, in_pytorch};
use super::{Mismatch, Missing, Weights, WeightsError, WrongShape, WrongType};

pub fn assign<M: Module>(weights: Weights, model: M) -> Result<M, WeightsError> {
    // Running statistics that wait to be taken over would replace the loaded ones.
    drop(model.valid());
    let mut read = Read {
        weights: &weights,
        place: Place::default(),
        used: BTreeSet::new(),
        found: HashMap::new(),
        mismatch: Mismatch::default(),
        failed: None,
    };
    model.visit(&mut read);
    let Read {
        used,
        found,
        mut mismatch,
        failed,
        ..
    } = read;
    if let Some((name, reason)) = failed {
        return Err(WeightsError::Tensor {
            path: weights.path,
            name,
            reason,
        });
    }
    let unexpected = weights.tensors.iter().filter(|(name, _)| {
        let counter = name.rsplit('.').next() == Some("num_batches_tracked");
        !counter && !used.contains(*name) && !weights.leaves_out(name)
    });
    mismatch.unexpected = unexpected
        .map(|(name, tensor)| (name.clone(), tensor.shape.to_vec()))
        .collect();
    if mismatch.is_empty() {
        let place = Place::default();
        return Ok(model.map(&mut Fill { place, found }));
    }
    Err(WeightsError::Mismatch {
        path: weights.path,
        mismatch: Box::new(mismatch),
    })
}

/// Where a walk through a module is.
#[derive(Default)]
struct Place {
    path: Vec<String>,
    containers: Vec<String>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.containers.push(container.to_owned());
        // PyTorch has no variants, so no name has them in it.
        if !container.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit(&mut self, container: &str) {
        self.containers.pop();
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }

    /// Burn's path, PyTorch's, and whether the tensor is transposed there.
    fn names(&self) -> (String, String, bool) {
        let own = self.path.last().map_or("", String::as_str);
        let (name, transposed) = in_pytorch(container(&self.containers), own);
        let mut path = self.path.clone();
        path.pop();
        path.push(name.to_owned());
        (self.path.join("."), path.join("."), transposed)
    }
}

/// Reads the tensor of each parameter.
struct Read<'a> {
    weights: &'a Weights,
    place: Place,
    used: BTreeSet<String>,
    found: HashMap<String, TensorData>,
    mismatch: Mismatch,
    failed: Option<(String, String)>,
}

impl Read<'_> {
    /// `dtype` is the parameter's.
    fn read(&mut self, shape: Shape, dtype: impl FnOnce() -> DType) {
        let (path, name, transposed) = self.place.names();
        if self.failed.is_some() || self.weights.leaves_out(&name) {
            return;
        }
        let mut expected = shape.to_vec();
        if transposed {
            expected.reverse();
        }
        // Some files have Burn's names, such as those of the first BERT.
        let tensors = &self.weights.tensors;
        let stored = tensors.get_key_value(&name);
        let Some((name, tensor)) = stored.or_else(|| tensors.get_key_value(&path)) else {
            self.mismatch.missing.push(Missing {
                name,
                shape: expected,
            });
            return;
        };
        self.used.insert(name.clone());
        if *tensor.shape != *expected {
            self.mismatch.shapes.push(WrongShape {
                name: name.clone(),
                expected,
                found: tensor.shape.to_vec(),
            });
            return;
        }
        let expected = dtype();
        if kind(expected) != kind(tensor.dtype) {
            self.mismatch.types.push(WrongType {
                name: name.clone(),
                expected: format!("{expected:?}"),
                found: format!("{:?}", tensor.dtype),
            });
            return;
        }
        let mut tensor = tensor.clone();
        if transposed {
            tensor.name = path.clone();
            let context = ModuleContext::new(&self.place.containers);
            tensor = PyTorchToBurnAdapter.adapt(tensor, context);
        }
        match bridge::into_data(tensor) {
            Ok(data) => {
                self.found.insert(path, data.convert_dtype(expected));
            }
            Err(error) => self.failed = Some((name.clone(), error.to_string())),
        }
    }
}

/// What is converted to each other: numbers to numbers of their kind.
fn kind(dtype: DType) -> &'static str {
    if dtype.is_float() {
        "float"
    } else if dtype.is_int() || dtype.is_uint() {
        "int"
    } else if dtype.is_bool() {
        "bool"
    } else {
        "quantized"
    }
}

impl ModuleVisitor for Read<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.place.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.read(param.lazy_shape(), || param.val().dtype());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.read(param.lazy_shape(), || param.val().dtype());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.read(param.lazy_shape(), || param.val().dtype());
    }
}

/// Puts in what was read.
struct Fill {
    place: Place,
    found: HashMap<String, TensorData>,
}

/// Puts in one parameter, of any kind.
macro_rules! fill {
    ($fill:ident, $param:ident) => {
        match $fill.found.remove(&$fill.place.names().0) {
            Some(data) => {
                let (id, device, dtype) = ($param.id, $param.lazy_device(), data.dtype());
                $param.transform_for_load(Tensor::from_data(data, (&device, dtype)), id)
            }
            None => $param,
        }
    };
}

impl ModuleMapper for Fill {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.place.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.place.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        fill!(self, param)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        fill!(self, param)
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        fill!(self, param)
    }
}
