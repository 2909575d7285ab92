//! Every layer and every loss gives PyTorch's numbers: outputs, gradients, running statistics.
//!
//! `tests/peers/layers.py` recorded them. Each case is declared with `model!`, so the whole path
//! from the declaration to the gradient is compared.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kiln::burn::module::{ModuleMapper, Param};
use kiln::data::TensorData;
use kiln::model::Upload;
use kiln::prelude::*;
use kiln_tests::{deviation, device, gradients, lock, numbers, tensors};
use serde_json::Value;

/// Of single precision's 1.2e-7, with sums of a hundred terms in another order.
const TOLERANCE: f32 = 1e-5;

/// Declares one network per recorded case, and tests it.
macro_rules! layers {
    ($($case:ident: $input:tt -> $($layer:ident $(($($args:tt)*))?)->+;)*) => {
        const LAYERS: &[&str] = &[$(stringify!($case)),*];
        $(
            mod $case {
                kiln::model! {
                    pub struct Net;
                    input x: $input;
                    let y = x $(-> $layer $(($($args)*))?)+;
                    output y;
                    loss mse;
                }

                #[test]
                fn gives_pytorchs_numbers() {
                    super::layer(stringify!($case), &NetConfig::new());
                }
            }
        )*
    };
}

layers! {
    linear: [5] -> linear(4);
    linear_no_bias: [5] -> linear(4, bias: false);
    linear_on_rows: [3, 5] -> linear(3);
    conv2d: [2, 5, 6] -> conv2d(3, kernel: 3);
    conv2d_strided: [2, 7, 6] -> conv2d(3, kernel: 3, stride: 2, padding: 1);
    conv2d_strides_differ: [1, 7, 6]
        -> conv2d(2, kernel: [3, 2], stride: [3, 2], padding: [2, 0]);
    conv2d_dilated: [2, 7, 8] -> conv2d(2, kernel: 3, dilation: 2, padding: 1);
    conv2d_dilations_differ: [1, 6, 9] -> conv2d(2, kernel: [2, 3], dilation: [3, 2]);
    conv2d_groups: [4, 5, 4] -> conv2d(6, kernel: 3, groups: 2, padding: 1);
    conv2d_depthwise: [3, 5, 4] -> conv2d(3, kernel: 3, groups: 3, padding: 1);
    conv2d_no_bias: [2, 4, 5] -> conv2d(3, kernel: 3, bias: false);
    conv2d_same: [2, 4, 5] -> conv2d(2, kernel: 3, padding: same);
    conv2d_same_even: [2, 5, 6] -> conv2d(2, kernel: [2, 4], padding: same);
    conv2d_same_dilated: [1, 6, 5]
        -> conv2d(2, kernel: [3, 2], padding: same, dilation: [2, 3]);
    conv2d_pointwise: [3, 3, 4] -> conv2d(4, kernel: 1);
    conv2d_strided_remainder: [1, 6, 7] -> conv2d(2, kernel: 2, stride: 3);
    max_pool2d: [2, 4, 6] -> max_pool2d(2);
    max_pool2d_overlapping: [2, 6, 5] -> max_pool2d(3, stride: 2, padding: 1);
    max_pool2d_sides_differ: [1, 5, 6]
        -> max_pool2d([2, 3], stride: [1, 2], padding: [0, 1]);
    avg_pool2d: [2, 4, 6] -> avg_pool2d(2);
    avg_pool2d_padded: [2, 6, 5] -> avg_pool2d(3, stride: 2, padding: 1);
    avg_pool2d_padding_left_out: [2, 6, 5]
        -> avg_pool2d(3, stride: 2, padding: 1, count_include_pad: false);
    global_avg_pool: [3, 3, 4] -> global_avg_pool;
    batch_norm: [3, 2, 4] -> batch_norm;
    batch_norm_settings: [2, 3, 2] -> batch_norm(epsilon: 0.01, momentum: 0.3);
    batch_norm_on_features: [4] -> batch_norm;
    batch_norm_inference: [3, 2, 3] -> batch_norm;
    layer_norm: [6] -> layer_norm;
    layer_norm_settings: [3, 4] -> layer_norm(epsilon: 0.01, bias: false);
    relu: [2, 3, 2] -> relu;
    gelu: [2, 3, 2] -> gelu;
    tanh: [2, 3, 2] -> tanh;
    sigmoid: [2, 3, 2] -> sigmoid;
    softmax: [2, 3, 2] -> softmax;
    softmax_of_scores: [5] -> softmax;
    flatten: [2, 3, 2] -> flatten;
    dropout_inference: [5] -> dropout(0.5);
}

/// The same for losses, each behind a dense layer.
macro_rules! losses {
    ($($case:ident: $loss:ident $(($($args:tt)*))?;)*) => {
        const LOSSES: &[&str] = &[$(stringify!($case)),*];
        $(
            mod $case {
                kiln::model! {
                    pub struct Net;
                    input x: [3];
                    let y = x -> linear(4);
                    output y;
                    loss $loss $(($($args)*))?;
                }

                #[test]
                fn gives_pytorchs_numbers() {
                    super::loss(stringify!($case), &NetConfig::new());
                }
            }
        )*
    };
}

losses! {
    cross_entropy: cross_entropy;
    cross_entropy_far_off: cross_entropy;
    cross_entropy_smoothed: cross_entropy(label_smoothing: 0.1);
    cross_entropy_smoothed_much: cross_entropy(label_smoothing: 0.6);
    mse: mse;
}

#[test]
fn every_recorded_case_is_compared() {
    let mut compared = [LAYERS, LOSSES].concat();
    compared.sort_unstable();
    let mut recorded: Vec<_> = CASES.keys().map(String::as_str).collect();
    recorded.sort_unstable();
    assert_eq!(compared, recorded);
}

static CASES: LazyLock<serde_json::Map<String, Value>> = LazyLock::new(|| {
    let file: Value = serde_json::from_str(include_str!("../peers/layers.json")).expect("JSON");
    file["cases"]
        .as_object()
        .expect("an object of cases")
        .clone()
});

fn data(recorded: &Value) -> TensorData {
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

/// The tensors by the path that they have in the network, whose layer is `y`.
fn all(recorded: &Value) -> BTreeMap<String, TensorData> {
    let tensors = recorded.as_object().expect("tensors by name").iter();
    tensors
        .map(|(name, tensor)| (format!("y.{name}"), data(tensor)))
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
        tensors: all(&recorded["parameters"]),
    };
    let model = model.map(&mut fill);
    assert!(
        fill.tensors.is_empty(),
        "the network has no {:?}",
        fill.tensors.keys()
    );
    model
}

fn layer<C, const I: usize, const O: usize>(case: &str, config: &C)
where
    C: ModelConfig,
    C::Model: Model<Config = C, Input = Tensor<I>, Output = Tensor<O>>,
{
    let _lock = lock();
    let recorded = &CASES[case];
    let model = network(config, recorded);
    let (input, expected) = (data(&recorded["input"]), data(&recorded["output"]));
    // A layer without state gives the same in inference; one with state has cases of its own.
    let inference = recorded["inference"] == true;
    if inference || !case.starts_with("batch_norm") {
        let model = model.valid();
        let output = Model::forward(&model, Tensor::from_data(input.clone(), &device()));
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
    let input = Tensor::<I>::from_data(input, &device).require_grad();
    let output = Model::forward(&model, input.clone());
    assert_close(case, "the output", &output.to_data(), &expected);
    let probe = Tensor::from_data(data(&recorded["probe"]), &device);
    let computed = output.mul(probe).sum().backward();
    let gradient = input.grad(&computed).expect("the input has a gradient");
    let expected = data(&recorded["input_gradient"]);
    assert_close(
        case,
        "the input's gradient",
        &gradient.into_data(),
        &expected,
    );
    assert_all_close(
        case,
        &gradients(&model, &computed),
        &all(&recorded["gradients"]),
    );
    let mut running = tensors(&model);
    running.retain(|path, _| path.contains("running"));
    assert_all_close(case, &running, &all(&recorded["buffers"]));
}

fn loss<C>(case: &str, config: &C)
where
    C: ModelConfig,
    C::Model: Model<Config = C, Input = Tensor<2>>,
{
    let _lock = lock();
    let recorded = &CASES[case];
    let model = network(config, recorded);
    let device = device().autodiff();
    let input = Tensor::<2>::from_data(data(&recorded["input"]), &device).require_grad();
    let output = Model::forward(&model, input.clone());
    let target = data(&recorded["target"]);
    let target = <C::Model as Model>::Target::upload(vec![target], &device).expect("one tensor");
    let loss = model.loss(output, target);
    assert_close(
        case,
        "the loss",
        &loss.to_data(),
        &data(&recorded["output"]),
    );
    let computed = loss.backward();
    let gradient = input.grad(&computed).expect("the input has a gradient");
    let expected = data(&recorded["input_gradient"]);
    assert_close(
        case,
        "the input's gradient",
        &gradient.into_data(),
        &expected,
    );
    assert_all_close(
        case,
        &gradients(&model, &computed),
        &all(&recorded["gradients"]),
    );
}
