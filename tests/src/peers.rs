//! What a peer recorded, and whether a declared network gives it.
//!
//! A file has one network per case, whose only layer with parameters is `y`: `inputs`, or `input` where
//! there is one; `parameters` and `buffers` by their names in that layer, or by whole paths where the
//! case says so; the `output`, and the gradients of `sum(output * probe)`, or of the loss:
//! `input_gradients` or `input_gradient`, null where an input has none, and `gradients`.

use std::collections::BTreeMap;

use kiln::burn::module::{Module, ModuleMapper, Param};
use kiln::burn::tensor::Gradients;
use kiln::data::TensorData;
use kiln::model::{Model, ModelConfig, Upload};
use kiln::{Int, Tensor};
use serde_json::Value;

use crate::{deviation, device, gradients, is_slow, lock, numbers, tensors};

/// Of single precision's 1.2e-7, with sums of a hundred terms in another order.
const TOLERANCE: f32 = 1e-5;

/// What a peer recorded.
pub struct Cases(serde_json::Map<String, Value>);

/// What goes into a network.
pub trait Inputs: Upload {
    /// The same, so that gradients by it are recorded.
    fn watched(self) -> Self;

    /// Its gradients.
    fn gradients(&self, computed: &Gradients) -> Vec<Option<TensorData>>;
}

impl<const D: usize> Inputs for Tensor<D> {
    fn watched(self) -> Self {
        self.require_grad()
    }

    fn gradients(&self, computed: &Gradients) -> Vec<Option<TensorData>> {
        vec![self.grad(computed).map(Tensor::into_data)]
    }
}

impl<const D: usize> Inputs for Tensor<D, Int> {
    fn watched(self) -> Self {
        self
    }

    fn gradients(&self, _computed: &Gradients) -> Vec<Option<TensorData>> {
        vec![None]
    }
}

impl<A: Inputs, B: Inputs> Inputs for (A, B) {
    fn watched(self) -> Self {
        (self.0.watched(), self.1.watched())
    }

    fn gradients(&self, computed: &Gradients) -> Vec<Option<TensorData>> {
        [self.0.gradients(computed), self.1.gradients(computed)].concat()
    }
}

/// A recorded tensor.
///
/// # Panics
///
/// Where it is not as the scripts write it.
pub fn data(recorded: &Value) -> TensorData {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let shape: Vec<_> = list(&recorded["shape"])
        .iter()
        .map(|dim| dim.as_u64().expect("a size") as usize)
        .collect();
    let data: Vec<_> = list(&recorded["data"])
        .iter()
        .map(|number| number.as_f64().expect("a number") as f32)
        .collect();
    TensorData::new(data, shape)
}

/// The tensors under `what` of a case by the path that they have in the network; none where nothing
/// was recorded.
fn all(case: &Value, what: &str) -> BTreeMap<String, TensorData> {
    let layer = if case["whole_paths"] == true {
        ""
    } else {
        "y."
    };
    let tensors = case[what].as_object().into_iter().flatten();
    tensors
        .map(|(name, tensor)| (format!("{layer}{name}"), data(tensor)))
        .collect()
}

fn assert_close(case: &str, what: &str, found: &TensorData, expected: &TensorData) {
    assert_eq!(
        found.shape(),
        expected.shape(),
        "{case}: the shape of {what}"
    );
    let off = deviation(&numbers(found), &numbers(expected));
    assert!(
        off <= TOLERANCE,
        "{case}: {what} is off by {off:e}\n{found}\n{expected}"
    );
}

fn assert_all_close(
    case: &str,
    found: &BTreeMap<String, TensorData>,
    expected: &BTreeMap<String, TensorData>,
) {
    assert!(
        found.keys().eq(expected.keys()),
        "{case}: {:?} {:?}",
        found.keys(),
        expected.keys()
    );
    for (path, expected) in expected {
        assert_close(case, path, &found[path], expected);
    }
}

/// Puts the recorded parameters into a network.
struct Fill {
    path: Vec<String>,
    tensors: BTreeMap<String, TensorData>,
}

impl ModuleMapper for Fill {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let data = self
            .tensors
            .remove(&path)
            .unwrap_or_else(|| panic!("no {path} was recorded"));
        assert_eq!(data.shape(), &param.lazy_shape(), "{path}");
        let (id, device) = (param.id, param.lazy_device());
        param.transform_for_load(Tensor::from_data(data, &device), id)
    }
}

/// The network with the recorded parameters, on a device that differentiates.
fn network<C: ModelConfig>(config: &C, recorded: &Value) -> C::Model {
    let model = config
        .init(&device().autodiff())
        .expect("the configuration is valid");
    let mut fill = Fill {
        path: Vec::new(),
        tensors: all(recorded, "parameters"),
    };
    let model = model.map(&mut fill);
    assert!(
        fill.tensors.is_empty(),
        "the network has no {:?}",
        fill.tensors.keys()
    );
    model
}

/// What stands under the plural of `name`, one for each input, or under `name` for the only one.
fn each(recorded: &Value, name: &str) -> Vec<Option<TensorData>> {
    let one = |tensor: &Value| (!tensor.is_null()).then(|| data(tensor));
    match recorded[format!("{name}s")].as_array() {
        Some(list) => list.iter().map(one).collect(),
        None => vec![one(&recorded[name])],
    }
}

fn inputs<I: Inputs>(recorded: &Value, device: &kiln::Device) -> I {
    let inputs = each(recorded, "input").into_iter().flatten().collect();
    I::upload(inputs, device).expect("the inputs that the network takes")
}

impl Cases {
    /// The cases of a file.
    ///
    /// # Panics
    ///
    /// Where the file is not as the scripts write it.
    pub fn read(json: &str) -> Cases {
        let file: Value = serde_json::from_str(json).expect("JSON");
        let cases = file["cases"].as_object().expect("an object of cases");
        Cases(cases.clone())
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether a case is left out. A slow device compares a sample: of the cases of a file whose
    /// names begin with another's, as `conv2d_strided` does with `conv2d`, that other alone; by its
    /// name, `max_pool1d` is one of `max`.
    fn is_left_out(&self, case: &str) -> bool {
        let is_variant = |of: &str| {
            let rest = case.strip_prefix(of);
            rest.is_some_and(|rest| rest.starts_with('_'))
        };
        is_slow() && self.names().any(is_variant)
    }

    /// Fails unless a layer gives what was recorded, in inference and in training. On a
    /// [slow](is_slow) device a sample of the cases is compared.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn layer<C, const O: usize>(&self, case: &str, config: &C)
    where
        C: ModelConfig,
        C::Model: Model<Config = C, Input: Inputs, Output = Tensor<O>>,
    {
        if self.is_left_out(case) {
            return;
        }
        let _lock = lock();
        let recorded = &self.0[case];
        let model = network(config, recorded);
        let expected = data(&recorded["output"]);
        // A layer without state gives the same in inference; one with state has cases of its own.
        let inference = recorded["inference"] == true;
        let buffers = all(recorded, "buffers");
        if inference || buffers.is_empty() {
            let output = Model::forward(&model.valid(), inputs(recorded, &device()));
            assert_close(
                case,
                "the output in inference",
                &output.into_data(),
                &expected,
            );
        }
        if inference {
            return;
        }
        let device = device().autodiff();
        let input = inputs::<<C::Model as Model>::Input>(recorded, &device).watched();
        let output = Model::forward(&model, input.clone());
        assert_close(case, "the output", &output.to_data(), &expected);
        let probe = Tensor::from_data(data(&recorded["probe"]), &device);
        let computed = output.mul(probe).sum().backward();
        gradients_close(case, &model, &input, &computed, recorded);
        let mut running = tensors(&model);
        running.retain(|path, _| path.contains("running"));
        assert_all_close(case, &running, &buffers);
    }

    /// Fails unless a loss, behind one dense layer, gives what was recorded; on a
    /// [slow](is_slow) device, a sample of them.
    ///
    /// # Panics
    ///
    /// Where it does not.
    pub fn loss<C>(&self, case: &str, config: &C)
    where
        C: ModelConfig,
        C::Model: Model<Config = C, Input: Inputs>,
    {
        if self.is_left_out(case) {
            return;
        }
        let _lock = lock();
        let recorded = &self.0[case];
        let model = network(config, recorded);
        let device = device().autodiff();
        let input = inputs::<<C::Model as Model>::Input>(recorded, &device).watched();
        let output = Model::forward(&model, input.clone());
        let target = data(&recorded["target"]);
        let target =
            <C::Model as Model>::Target::upload(vec![target], &device).expect("one tensor");
        let loss = model.loss(output, target);
        assert_close(
            case,
            "the loss",
            &loss.to_data(),
            &data(&recorded["output"]),
        );
        let computed = loss.backward();
        gradients_close(case, &model, &input, &computed, recorded);
    }
}

fn gradients_close<M: Model>(
    case: &str,
    model: &M,
    input: &impl Inputs,
    computed: &Gradients,
    recorded: &Value,
) {
    let found = input.gradients(computed);
    let expected = each(recorded, "input_gradient");
    assert_eq!(found.len(), expected.len(), "{case}: the inputs' gradients");
    for (found, expected) in found.iter().zip(&expected) {
        match (found, expected) {
            (Some(found), Some(expected)) => {
                assert_close(case, "the input's gradient", found, expected);
            }
            _ => assert_eq!(found, expected, "{case}: the input's gradient"),
        }
    }
    let expected = all(recorded, "gradients");
    assert_all_close(case, &gradients(model, computed), &expected);
}
