//! Every layer of sequences gives PyTorch's numbers: outputs and gradients.
//!
//! `tests/peers/sequences.py` recorded them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kiln::burn::module::{ModuleMapper, Param};
use kiln::data::TensorData;
use kiln::layer::*;
use kiln::prelude::*;
use kiln_tests::{deviation, device, gradients, lock, numbers};
use serde_json::Value;

/// Of single precision's 1.2e-7, with sums of a hundred terms in another order.
const TOLERANCE: f32 = 1e-5;

static CASES: LazyLock<serde_json::Map<String, Value>> = LazyLock::new(|| {
    let file: Value = serde_json::from_str(include_str!("../peers/sequences.json")).expect("JSON");
    file["cases"].as_object().expect("an object").clone()
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

fn all(recorded: &Value) -> BTreeMap<String, TensorData> {
    let tensors = recorded.as_object().expect("tensors by name").iter();
    tensors
        .map(|(name, tensor)| (name.clone(), data(tensor)))
        .collect()
}

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

fn close(case: &str, what: &str, found: &TensorData, expected: &TensorData) {
    assert_eq!(
        found.shape(),
        expected.shape(),
        "{case}: the shape of {what}"
    );
    let off = deviation(&numbers(found), &numbers(expected));
    println!("{case} {what} {off:e}");
    assert!(
        off <= TOLERANCE,
        "{case}: {what} is off by {off:e}\n{found}\n{expected}"
    );
}

fn check<M: Module, const I: usize, const O: usize>(
    case: &str,
    module: M,
    run: impl Fn(&M, Tensor<I>, Option<Tensor<3>>) -> Tensor<O>,
) {
    let recorded = &CASES[case];
    let device = device().autodiff();
    let mut fill = Fill {
        path: vec![],
        tensors: all(&recorded["parameters"]),
    };
    let module = module.map(&mut fill);
    assert!(fill.tensors.is_empty(), "{case}: {:?}", fill.tensors.keys());
    let memory = (!recorded["memory"].is_null())
        .then(|| Tensor::from_data(data(&recorded["memory"]), &device).require_grad());
    let input = Tensor::<I>::from_data(data(&recorded["input"]), &device).require_grad();
    let output = run(&module, input.clone(), memory.clone());
    close(
        case,
        "the output",
        &output.to_data(),
        &data(&recorded["output"]),
    );
    let computed = (output * Tensor::from_data(data(&recorded["probe"]), &device))
        .sum()
        .backward();
    if !recorded["input_gradient"].is_null() {
        let gradient = input.grad(&computed).expect("a gradient");
        close(
            case,
            "the input's gradient",
            &gradient.into_data(),
            &data(&recorded["input_gradient"]),
        );
    }
    if let Some(memory) = memory {
        let gradient = memory.grad(&computed).expect("a gradient");
        close(
            case,
            "the memory's gradient",
            &gradient.into_data(),
            &data(&recorded["memory_gradient"]),
        );
    }
    let expected = all(&recorded["gradients"]);
    let found = gradients(&module, &computed);
    assert!(
        found.keys().eq(expected.keys()),
        "{case}: {:?} {:?}",
        found.keys(),
        expected.keys()
    );
    for (path, expected) in expected {
        close(case, &path, &found[&path], &expected);
    }
}

#[test]
fn all_give_pytorchs_numbers() {
    let _lock = lock();
    let d = device().autodiff();
    macro_rules! rnns { ($($name:literal $config:ident;)*) => {$(
        check($name, $config::new(3, 4).init(&d), |m, x: Tensor<3>, _| m.forward(x));
        check(concat!($name, "_of_one_step"), $config::new(3, 2).init(&d), |m, x: Tensor<3>, _| m.forward(x));
        check(concat!($name, "_without_bias"), $config::new(2, 3).with_bias(false).init(&d), |m, x: Tensor<3>, _| m.forward(x));
        check(concat!($name, "_deep"), $config::new(3, 2).with_layers(3).init(&d), |m, x: Tensor<3>, _| m.forward(x));
        check(concat!($name, "_bidirectional"), $config::new(3, 2).with_bidirectional(true).init(&d), |m, x: Tensor<3>, _| m.forward(x));
        check(concat!($name, "_all"), $config::new(2, 3).with_layers(2).with_bidirectional(true).with_bias(false).init(&d), |m, x: Tensor<3>, _| m.forward(x));
    )*}}
    rnns! { "lstm" LstmConfig; "gru" GruConfig; "rnn" RnnConfig; }
    check(
        "rnn_relu",
        RnnConfig::new(3, 4)
            .with_nonlinearity(Nonlinearity::Relu)
            .init(&d),
        |m, x: Tensor<3>, _| m.forward(x),
    );
    check(
        "embedding",
        Embedding::from(EmbeddingConfig::new(7, 3).init(&d)),
        |m, x: Tensor<2>, _| m.forward::<2, 3>(x.int()),
    );
    check(
        "embedding_of_one",
        Embedding::from(EmbeddingConfig::new(5, 2).init(&d)),
        |m, x: Tensor<1>, _| m.forward::<1, 2>(x.int()),
    );
    check(
        "embedding_of_rows",
        Embedding::from(EmbeddingConfig::new(4, 2).init(&d)),
        |m, x: Tensor<3>, _| m.forward::<3, 4>(x.int()),
    );
    check(
        "position_embedding",
        PositionEmbeddingConfig::new(6, 4).init(&d),
        |m, x, _| m.forward(x),
    );
    check(
        "position_embedding_longer",
        PositionEmbeddingConfig::new(6, 4).init(&d),
        |m, x, _| m.forward(x),
    );
    check(
        "class_token",
        ClassTokenConfig::new(3).init(&d),
        |m, x, _| m.forward(x),
    );
    check(
        "sinusoidal_positions",
        SinusoidalPositionsConfig::new().init(),
        |m, x, _| m.forward(x),
    );
    check(
        "sinusoidal_positions_odd",
        SinusoidalPositionsConfig::new().with_base(100.0).init(),
        |m, x, _| m.forward(x),
    );
    check(
        "rotary_embedding",
        RotaryEmbeddingConfig::new().init(),
        |m, x: Tensor<3>, _| m.forward(x),
    );
    check(
        "rotary_embedding_of_heads",
        RotaryEmbeddingConfig::new().with_base(50.0).init(),
        |m, x: Tensor<4>, _| m.forward(x),
    );
    let mha = MultiHeadAttentionConfig::new;
    let run = |m: &MultiHeadAttention, x: Tensor<3>, y: Option<Tensor<3>>| match y {
        Some(y) => m.forward_memory(x, y),
        None => m.forward(x),
    };
    check("multi_head_attention", mha(6, 2).init(&d), run);
    check("multi_head_attention_of_one", mha(4, 1).init(&d), run);
    check(
        "multi_head_attention_causal",
        mha(6, 3).with_causal(true).init(&d),
        run,
    );
    check(
        "multi_head_attention_without_bias",
        mha(4, 2).with_bias(false).init(&d),
        run,
    );
    check("multi_head_attention_memory", mha(6, 2).init(&d), run);
    check(
        "multi_head_attention_memory_differs",
        mha(6, 2).with_memory(Some(5)).init(&d),
        run,
    );
    check(
        "multi_head_attention_memory_differs_no_bias",
        mha(4, 2).with_memory(Some(2)).with_bias(false).init(&d),
        run,
    );
    check(
        "multi_head_attention_rotary",
        mha(8, 2).with_rotary(Some(10000.0)).init(&d),
        run,
    );
    check(
        "multi_head_attention_rotary_causal",
        mha(8, 2).with_rotary(Some(20.0)).with_causal(true).init(&d),
        run,
    );
    // Dropout's own path, with so little of it that nothing is dropped.
    check(
        "multi_head_attention_causal",
        mha(6, 3).with_causal(true).with_dropout(1e-9).init(&d),
        run,
    );
    check(
        "multi_head_attention_memory",
        mha(6, 2).with_dropout(1e-9).init(&d),
        run,
    );
    let enc = |dim, heads, layers, ff| {
        TransformerEncoderConfig::new(dim, heads, layers)
            .with_feedforward(ff)
            .with_dropout(0.0)
    };
    let run = |m: &TransformerEncoder, x: Tensor<3>, _| m.forward(x);
    check("transformer_encoder", enc(4, 2, 2, 6).init(&d), run);
    check(
        "transformer_encoder_causal",
        enc(4, 2, 1, 5).with_causal(true).init(&d),
        run,
    );
    check(
        "transformer_encoder_norm_first",
        enc(4, 1, 2, 6)
            .with_norm_first(true)
            .with_norm(true)
            .init(&d),
        run,
    );
    check(
        "transformer_encoder_gelu",
        enc(6, 3, 1, 4).with_activation(Activation::Gelu).init(&d),
        run,
    );
    check(
        "transformer_encoder_no_bias",
        enc(4, 2, 1, 4)
            .with_bias(false)
            .with_norm(true)
            .with_epsilon(0.01)
            .init(&d),
        run,
    );
    let dec = |dim, heads, layers, ff| {
        TransformerDecoderConfig::new(dim, heads, layers)
            .with_feedforward(ff)
            .with_dropout(0.0)
    };
    let run = |m: &TransformerDecoder, x: Tensor<3>, y: Option<Tensor<3>>| {
        m.forward(x, y.expect("a memory"))
    };
    check("transformer_decoder", dec(4, 2, 2, 6).init(&d), run);
    check(
        "transformer_decoder_not_causal",
        dec(4, 2, 1, 5).with_causal(false).init(&d),
        run,
    );
    check(
        "transformer_decoder_norm_first",
        dec(4, 1, 1, 6)
            .with_norm_first(true)
            .with_norm(true)
            .init(&d),
        run,
    );
    check(
        "transformer_decoder_gelu",
        dec(6, 3, 1, 4).with_activation(Activation::Gelu).init(&d),
        run,
    );
    check(
        "transformer_decoder_no_bias",
        dec(4, 2, 1, 4)
            .with_bias(false)
            .with_norm(true)
            .with_epsilon(0.01)
            .init(&d),
        run,
    );
}
