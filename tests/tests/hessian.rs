//! Products with the Hessian of ready networks are those of PyTorch's double backward, which
//! `tests/peers/hessian.py` recorded.
//!
//! Weights, directions and data are the same on both sides because the same generator makes them, from
//! the name of each. Of each parameter's part of the product the file has 16 numbers, evenly apart, and
//! the length.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kiln::Int;
use kiln::burn::module::{ModuleMapper, Param};
use kiln::data::TensorData;
use kiln::prelude::*;
use kiln::tangent::Pass;
use kiln_models::*;
use kiln_tests::{Lcg, device, gradients, is_slow, lock};
use serde_json::Value;

const BATCH: usize = 4;

/// What the product may be off by, of the largest number of its parameter or a thousandth of the
/// largest of all, in single precision.
const TOLERANCE: f64 = 1e-4;

static RECORDED: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../peers/hessian.json");
    serde_json::from_str(text).expect("JSON")
});

fn generator(name: &str) -> Lcg {
    let seed = name.bytes().fold(17, |seed: u64, byte| {
        seed.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    Lcg(seed)
}

fn uniform(name: &str, shape: Vec<usize>, [low, high]: [f64; 2]) -> TensorData {
    let mut generator = generator(name);
    let numbers = (0..shape.iter().product()).map(|_| generator.uniform(low, high));
    TensorData::new(numbers.collect::<Vec<_>>(), shape)
}

/// Puts in the numbers that belong to each path; with `suffix`, those of a direction.
struct Numbers {
    path: Vec<String>,
    suffix: Option<&'static str>,
}

impl ModuleMapper for Numbers {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape().as_slice().to_vec();
        let path = self.path.join(".");
        let last = self.path.last().map(String::as_str);
        let range = match (self.suffix, last) {
            (Some(_), _) => [-1.0, 1.0],
            (None, Some("gamma" | "running_var")) => [0.5, 1.5],
            (None, _) if D == 1 => [-0.5, 0.5],
            (None, _) => {
                let numbers: usize = shape.iter().product();
                let bound = 1.5 / (numbers as f64 / shape[0] as f64).sqrt();
                [-bound, bound]
            }
        };
        let data = uniform(&(path + self.suffix.unwrap_or_default()), shape, range);
        let (id, device) = (param.id, param.lazy_device());
        param.transform_for_load(Tensor::from_data(data, &device), id)
    }
}

type Parts = BTreeMap<String, Vec<f64>>;

fn dot(a: &Parts, b: &Parts) -> f64 {
    let pairs = a.iter().flat_map(|(path, a)| a.iter().zip(&b[path]));
    pairs.map(|(a, b)| a * b).sum()
}

/// The product of the Hessian with the direction `suffix`, and the direction.
fn product<M: Model>(
    config: &M::Config,
    suffix: &'static str,
    input: &M::Input,
    target: &M::Target,
    mut pass: Pass,
) -> [Parts; 2] {
    let network = |suffix| {
        let path = Vec::new();
        let model = config.init(&device().autodiff()).expect("valid");
        model.map(&mut Numbers { path, suffix })
    };
    let (model, direction): (M, M) = (network(None), network(Some(suffix)));
    let output = model.tangent(Some(&direction), input.clone(), &mut pass);
    let loss = model.loss_tangent(output, target.clone());
    let computed = loss.tangent.expect("the loss changes").backward();
    let all = |data: &TensorData| data.iter::<f64>().collect::<Vec<_>>();
    let product: Parts = gradients(&model, &computed)
        .iter()
        .map(|(path, data)| (path.clone(), all(data)))
        .collect();
    let direction = kiln_tests::tensors(&direction);
    let along = product
        .keys()
        .map(|path| (path.clone(), all(&direction[path])));
    let along = along.collect();
    [product, along]
}

fn check<M: Model>(
    case: &str,
    config: &M::Config,
    input: M::Input,
    target: M::Target,
    pass: &Pass,
) {
    let _lock = lock();
    let v = product::<M>(config, "/v", &input, &target, pass.clone());
    let recorded = RECORDED[case].as_object().expect("the case is recorded");
    let [found, along] = &v;
    assert!(
        found.keys().eq(recorded.keys()),
        "{case}: {:?}",
        found.keys()
    );
    let largest = found
        .values()
        .flatten()
        .fold(0.0, |a: f64, b| a.max(b.abs()));
    for (path, found) in found {
        let expected = &recorded[path];
        let step = found.len().div_ceil(16);
        let length = found.iter().map(|x| x * x).sum::<f64>().sqrt();
        let found = found.iter().step_by(step).chain([&length]);
        let numbers = expected.as_array().expect("numbers");
        let expected: Vec<_> = numbers
            .iter()
            .map(|x| x.as_f64().expect("a number"))
            .collect();
        let scale = expected.iter().fold(largest * 1e-3, |a, b| a.max(b.abs()));
        for (found, expected) in found.zip(expected) {
            let off = (found - expected).abs() / scale;
            assert!(
                off <= TOLERANCE,
                "{case}: {path}: {found} {expected}: {off:e}"
            );
        }
    }
    // The Hessian is symmetric.
    let [other, across] = &product::<M>(config, "/u", &input, &target, pass.clone());
    let (one, two) = (dot(found, across), dot(other, along));
    let scale = dot(found, found).sqrt() * dot(across, across).sqrt();
    assert!((one - two).abs() <= 1e-5 * scale, "{case}: {one} {two}");
}

fn images(channels: usize, size: usize) -> Tensor<4> {
    let data = uniform("input", vec![BATCH, channels, size, size], [-1.0, 1.0]);
    Tensor::from_data(data, &device().autodiff())
}

/// Integers below `below`.
fn integers<const D: usize>(name: &str, shape: [usize; D], below: usize) -> Tensor<D, Int> {
    let mut generator = generator(name);
    let count = shape.iter().product();
    let numbers: Vec<_> = (0..count)
        .map(|_| generator.draw(0, below - 1) as i64)
        .collect();
    Tensor::from_data(TensorData::new(numbers, shape), &device().autodiff())
}

/// One of each family, for a slow device.
const SAMPLE: &[&str] = &["mlp", "cifar_resnet", "lstm_classifier", "char_transformer"];

/// Declares a test for each case. A slow device tries a sample.
macro_rules! cases {
    ($($case:ident: $model:ty = $config:expr, $input:expr, $target:expr, $pass:expr;)*) => {
        const CASES: &[&str] = &[$(stringify!($case)),*];
        $(
            #[test]
            fn $case() {
                let case = stringify!($case);
                if !is_slow() || SAMPLE.contains(&case) {
                    check::<$model>(case, &$config, $input, $target, &$pass);
                }
            }
        )*
    };
}

cases! {
    mlp: Mlp = MlpConfig::new().with_size(6).with_hidden_1(16).with_hidden_2(12),
        images(1, 6), integers("target", [BATCH], 10), Pass::new();
    lenet: LeNet5 = LeNet5Config::new().with_size(12),
        images(1, 12), integers("target", [BATCH], 10), Pass::new();
    cnn: Cnn = CnnConfig::new().with_size(8).with_hidden(16),
        images(1, 8), integers("target", [BATCH], 10), Pass::new();
    cifar_resnet: CifarResNet = CifarResNetConfig::new().with_blocks(2).with_width(4).with_size(8),
        images(3, 8), integers("target", [BATCH], 10), Pass::new();
    cifar_resnet_by_batch: CifarResNet =
        CifarResNetConfig::new().with_blocks(1).with_width(4).with_size(8),
        images(3, 8), integers("target", [BATCH], 10), Pass::with_batch_statistics();
    resnet18: ResNet18 = ResNet18Config::new().with_size(32).with_width(2).with_classes(5),
        images(3, 32), integers("target", [BATCH], 5), Pass::new();
    wide_resnet: WideResNet = WideResNetConfig::new().with_depth(10).with_widen(1).with_size(8),
        images(3, 8), integers("target", [BATCH], 10), Pass::new();
    vgg16: Vgg16 =
        Vgg16Config::new().with_size(32).with_width(2).with_hidden(8).with_classes(5),
        images(3, 32), integers("target", [BATCH], 5), Pass::new();
    keskar_f: KeskarF = KeskarFConfig::new().with_inputs(12).with_layers(2).with_hidden(8),
        images(3, 2).reshape([BATCH, 12]), integers("target", [BATCH], 10), Pass::new();
    keskar_f_by_batch: KeskarF = KeskarFConfig::new().with_inputs(12).with_layers(2).with_hidden(8),
        images(3, 2).reshape([BATCH, 12]), integers("target", [BATCH], 10),
        Pass::with_batch_statistics();
    lstm_classifier: LstmClassifier = LstmClassifierConfig::new()
        .with_vocabulary(11).with_dim(6).with_hidden(5).with_layers(2),
        integers("input", [BATCH, 7], 11), integers("target", [BATCH], 2), Pass::new();
    char_transformer: CharTransformer = CharTransformerConfig::new()
        .with_vocabulary(11).with_context(8).with_dim(8).with_layers(2).with_heads(2),
        integers("input", [BATCH, 6], 11), integers("target", [BATCH, 6], 11), Pass::new();
    vit: Vit = VitConfig::new()
        .with_size(8).with_patch(4).with_dim(8).with_layers(2).with_heads(2).with_hidden(12)
        .with_classes(5),
        images(3, 8), integers("target", [BATCH], 5), Pass::new();
}

#[test]
fn every_recorded_case_is_compared() {
    let recorded = RECORDED.as_object().expect("an object of cases");
    let recorded: Vec<_> = recorded.keys().map(String::as_str).collect();
    let mut compared = CASES.to_vec();
    compared.sort_unstable();
    assert_eq!(compared, recorded);
}
