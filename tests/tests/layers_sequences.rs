//! Every layer of sequences gives PyTorch's numbers: outputs and gradients.
//!
//! `tests/peers/sequences.py` recorded them.

use std::sync::LazyLock;

use kiln::prelude::*;
use kiln_tests::peers::Cases;
use kiln_tests::{device, lock, numbers, tensors};

static CASES: LazyLock<Cases> =
    LazyLock::new(|| Cases::read(include_str!("../peers/sequences.json")));

/// Declares one network per recorded case, and tests it.
macro_rules! layers {
    ($($case:ident { $($body:tt)* })*) => {
        const LAYERS: &[&str] = &[$(stringify!($case)),*];
        $(
            mod $case {
                kiln::model! {
                    pub struct Net;
                    $($body)*
                    output y;
                    loss mse;
                }

                #[test]
                fn gives_pytorchs_numbers() {
                    super::CASES.layer(stringify!($case), &NetConfig::new());
                }
            }
        )*
    };
}

layers! {
    embedding { input x: int [4]; let y = x -> embedding(7, 3); }
    embedding_of_rows { input x: int [2, 2]; let y = x -> embedding(vocabulary: 4, dim: 2); }
    position_embedding { input x: [6, 4]; let y = x -> position_embedding; }
    position_embedding_longer { input x: [3, 4]; let y = x -> position_embedding(6); }
    class_token { input x: [4, 3]; let y = x -> class_token; }
    sinusoidal_positions { input x: [5, 6]; let y = x -> sinusoidal_positions; }
    sinusoidal_positions_odd {
        input x: [4, 5];
        let y = x -> sinusoidal_positions(base: 100);
    }
    rotary_embedding { input x: [5, 6]; let y = x -> rotary_embedding; }
    rotary_embedding_of_heads {
        input x: [4, 3, 4];
        let y = x -> rotary_embedding(base: 50.0);
    }

    lstm { input x: [5, 3]; let y = x -> lstm(4); }
    lstm_of_one_step { input x: [1, 3]; let y = x -> lstm(2); }
    lstm_without_bias { input x: [3, 2]; let y = x -> lstm(3, bias: false); }
    lstm_deep { input x: [4, 3]; let y = x -> lstm(2, layers: 3); }
    lstm_bidirectional { input x: [4, 3]; let y = x -> lstm(2, bidirectional: true); }
    lstm_all {
        input x: [3, 2];
        let y = x -> lstm(3, layers: 2, bidirectional: true, bias: false);
    }
    gru { input x: [5, 3]; let y = x -> gru(4); }
    gru_of_one_step { input x: [1, 3]; let y = x -> gru(2); }
    gru_without_bias { input x: [3, 2]; let y = x -> gru(3, bias: false); }
    gru_deep { input x: [4, 3]; let y = x -> gru(2, layers: 3); }
    gru_bidirectional { input x: [4, 3]; let y = x -> gru(2, bidirectional: true); }
    gru_all {
        input x: [3, 2];
        let y = x -> gru(3, layers: 2, bidirectional: true, bias: false);
    }
    rnn { input x: [5, 3]; let y = x -> rnn(4, nonlinearity: tanh); }
    rnn_of_one_step { input x: [1, 3]; let y = x -> rnn(2); }
    rnn_without_bias { input x: [3, 2]; let y = x -> rnn(3, bias: false); }
    rnn_deep { input x: [4, 3]; let y = x -> rnn(2, layers: 3); }
    rnn_bidirectional { input x: [4, 3]; let y = x -> rnn(2, bidirectional: true); }
    rnn_all {
        input x: [3, 2];
        let y = x -> rnn(3, layers: 2, bidirectional: true, bias: false);
    }
    rnn_relu { input x: [4, 3]; let y = x -> rnn(4, nonlinearity: relu); }

    multi_head_attention { input x: [4, 6]; let y = x -> multi_head_attention(2); }
    multi_head_attention_of_one { input x: [3, 4]; let y = x -> multi_head_attention(1); }
    multi_head_attention_causal {
        input x: [5, 6];
        let y = x -> multi_head_attention(3, causal: true);
    }
    multi_head_attention_without_bias {
        input x: [3, 4];
        let y = x -> multi_head_attention(2, bias: false);
    }
    multi_head_attention_memory {
        input x: [4, 6];
        input m: [5, 6];
        let y = x -> multi_head_attention(2, memory: m);
    }
    multi_head_attention_memory_differs {
        input x: [4, 6];
        input m: [3, 5];
        let y = x -> multi_head_attention(2, memory: m);
    }
    multi_head_attention_memory_differs_no_bias {
        input x: [3, 4];
        input m: [5, 2];
        let y = x -> multi_head_attention(2, memory: m, bias: false);
    }
    multi_head_attention_rotary {
        input x: [5, 8];
        let y = x -> multi_head_attention(2, rotary: true);
    }
    multi_head_attention_rotary_causal {
        input x: [5, 8];
        let y = x -> multi_head_attention(2, rotary: 20.0, causal: true);
    }

    transformer_encoder {
        input x: [3, 4];
        let y = x -> transformer_encoder(2, layers: 2, feedforward: 6, dropout: 0.0);
    }
    transformer_encoder_causal {
        input x: [4, 4];
        let y = x -> transformer_encoder(
            2, layers: 1, feedforward: 5, dropout: 0.0, causal: true
        );
    }
    transformer_encoder_norm_first {
        input x: [3, 4];
        let y = x -> transformer_encoder(
            1, layers: 2, feedforward: 6, dropout: 0.0, norm_first: true, norm: true
        );
    }
    transformer_encoder_gelu {
        input x: [3, 6];
        let y = x -> transformer_encoder(
            3, layers: 1, feedforward: 4, dropout: 0.0, activation: gelu
        );
    }
    transformer_encoder_no_bias {
        input x: [3, 4];
        let y = x -> transformer_encoder(
            2, layers: 1, feedforward: 4, dropout: 0.0, bias: false, norm: true, epsilon: 0.01
        );
    }
    transformer_decoder {
        input x: [3, 4];
        input m: [5, 4];
        let y = x -> transformer_decoder(
            2, layers: 2, memory: m, feedforward: 6, dropout: 0.0
        );
    }
    transformer_decoder_not_causal {
        input x: [3, 4];
        input m: [2, 4];
        let y = x -> transformer_decoder(
            2, layers: 1, memory: m, feedforward: 5, dropout: 0.0, causal: false
        );
    }
    transformer_decoder_norm_first {
        input x: [3, 4];
        input m: [4, 4];
        let y = x -> transformer_decoder(
            1, layers: 1, memory: m, feedforward: 6, dropout: 0.0, norm_first: true, norm: true
        );
    }
    transformer_decoder_gelu {
        input x: [3, 6];
        input m: [2, 6];
        let y = x -> transformer_decoder(
            3, layers: 1, memory: m, feedforward: 4, dropout: 0.0, activation: gelu
        );
    }
    transformer_decoder_no_bias {
        input x: [3, 4];
        input m: [3, 4];
        let y = x -> transformer_decoder(
            2, layers: 1, memory: m, feedforward: 4, dropout: 0.0, bias: false, norm: true,
            epsilon: 0.01
        );
    }
}

#[test]
fn every_recorded_case_is_compared() {
    let mut compared = LAYERS.to_vec();
    compared.sort_unstable();
    let mut recorded: Vec<_> = CASES.names().collect();
    recorded.sort_unstable();
    assert_eq!(compared, recorded);
}

kiln::model! {
    /// Everything that may not know how long a sequence is before it arrives.
    struct Open { width: usize = 8 }
    input tokens: int [any length];
    input memory: [any elements, 5];
    let x = tokens -> embedding(11, width) -> position_embedding(max_length: 6) -> class_token;
    let heard = x -> multi_head_attention(2, memory: memory) -> rotary_embedding
        -> lstm(3, bidirectional: true) -> gru(4) -> rnn(6) -> sinusoidal_positions;
    let known = heard -> multi_head_attention(3, causal: true, rotary: true)
        -> transformer_encoder(2, layers: 1, feedforward: 4);
    let y = known -> transformer_decoder(3, layers: 1, feedforward: 4, memory: heard);
    output y;
}

#[test]
fn a_length_may_be_known_only_when_the_tensor_arrives() {
    let _lock = lock();
    let net = OpenConfig::new()
        .init(&device())
        .expect("a valid configuration");
    for (length, elements) in [(1, 1), (6, 2), (3, 7)] {
        let tokens = Tensor::zeros([2, length], &device());
        let memory = Tensor::ones([2, elements, 5], &device());
        assert_eq!(net.forward(tokens, memory).dims(), [2, length + 1, 6]);
    }
    let summary = OpenConfig::new().summary().expect("a valid configuration");
    assert_eq!(summary.params(), net.num_params());
    assert_eq!(summary.multiply_adds(), None);
}

#[test]
#[should_panic(expected = "its length is 7, `max_length` is 6")]
fn a_sequence_without_places_is_refused() {
    let net = OpenConfig::new()
        .init(&device())
        .expect("a valid configuration");
    net.forward(
        Tensor::zeros([2, 7], &device()),
        Tensor::ones([2, 1, 5], &device()),
    );
}

kiln::model! {
    /// Sizes that only `init` knows.
    struct Sized { dim: usize = 8, heads: usize = 2, layers: usize = 2, base: f64 = 100.0, drop: f64 = 0.1 }
    input x: [3, dim];
    input memory: [4, 2 * dim];
    let h = x -> multi_head_attention(heads, rotary: base, dropout: drop)
        -> multi_head_attention(heads, memory: memory)
        -> transformer_encoder(heads, layers: layers, feedforward: 2 * dim, dropout: drop, norm: true)
        -> lstm(dim, layers: layers, dropout: drop, bidirectional: true)
        -> gru(dim, layers: layers, bias: false) -> rnn(dim, layers: layers);
    let y = h -> transformer_decoder(heads, layers: layers, memory: x, bias: false);
    output y;
}

#[test]
fn parameters_are_counted_and_conditions_are_left_to_init() {
    let _lock = lock();
    for (dim, heads, layers) in [(8, 2, 2), (6, 3, 1), (4, 1, 3)] {
        let config = SizedConfig::new()
            .with_dim(dim)
            .with_heads(heads)
            .with_layers(layers);
        let net = config.init(&device()).expect("a valid configuration");
        let summary = config.summary().expect("a valid configuration");
        assert_eq!(summary.params(), net.num_params(), "{config:?}");
    }
    let config = SizedConfig::new().with_heads(3);
    let error = config.init(&device()).expect_err("three heads");
    assert_eq!(error.problems.len(), 4, "{error}");
    let config = SizedConfig::new().with_dim(6);
    let text = config
        .init(&device())
        .expect_err("an odd width")
        .to_string();
    assert!(
        text.contains("6 is no multiple of twice `heads`, 2"),
        "{text}"
    );
}

#[test]
fn multiply_adds_are_counted() {
    kiln::model! {
        struct Counted;
        input x: [5, 3];
        input m: [7, 2];
        let a = x -> lstm(4, layers: 2, bidirectional: true);
        let b = a -> multi_head_attention(2);
        let c = b -> multi_head_attention(2, memory: m);
        let y = c -> transformer_encoder(2, layers: 3, feedforward: 10);
        output y;
    }
    let summary = CountedConfig::new()
        .summary()
        .expect("a valid configuration");
    let found: Vec<_> = summary
        .layers
        .iter()
        .map(|layer| layer.multiply_adds)
        .collect();
    // Rows of the weights times what they read, in both directions, for each step.
    let lstm = 5 * 2 * 16 * ((3 + 4) + (8 + 4));
    // Four maps of each element, then scores and sums of values for each pair of elements.
    let own = 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8;
    let memory = 2 * 5 * 8 * 8 + 2 * 7 * 2 * 8 + 2 * 5 * 7 * 8;
    let encoder = 3 * (own + 2 * 5 * 8 * 10);
    assert_eq!(found, [lstm, own, memory, encoder].map(Some));
}

#[test]
fn parameters_are_drawn_as_pytorch_draws_them() {
    kiln::model! {
        struct Drawn;
        input tokens: int [3];
        let x = tokens -> tokens: embedding(50, 64) -> class_token: class_token;
        let y = x -> lstm: lstm(16) -> attention: multi_head_attention(2)
            -> encoder: transformer_encoder(2, layers: 1, feedforward: 100);
        output y;
    }
    let _lock = lock();
    device().seed(3);
    let net = DrawnConfig::new()
        .init(&device())
        .expect("a valid configuration");
    let drawn = tensors(&net);
    // Uniform in ±bound: the largest of so many is close to it.
    for (path, bound) in [
        ("lstm.weight_ih_l0", 0.25),
        ("lstm.weight_hh_l0", 0.25),
        ("lstm.bias_hh_l0", 0.25),
        ("attention.in_proj_weight", (6.0f32 / 64.0).sqrt()),
        ("attention.out_proj.weight", 0.25),
        (
            "encoder.layers.0.self_attn.in_proj_weight",
            (6.0f32 / 64.0).sqrt(),
        ),
        ("encoder.layers.0.linear1.weight", 0.25),
        ("encoder.layers.0.linear2.bias", 0.1),
    ] {
        let values = numbers(&drawn[path]);
        let largest = values
            .iter()
            .fold(0.0f32, |max, value| max.max(value.abs()));
        assert!(
            (0.8 * bound..=bound).contains(&largest),
            "{path}: {largest} of {bound}"
        );
    }
    for path in [
        "attention.in_proj_bias",
        "attention.out_proj.bias",
        "class_token.weight",
    ] {
        assert!(
            numbers(&drawn[path]).iter().all(|value| *value == 0.0),
            "{path}"
        );
    }
    let table = numbers(&drawn["tokens.weight"]);
    let square = table.iter().map(|value| value * value).sum::<f32>() / table.len() as f32;
    assert!(
        (0.9..1.1).contains(&square),
        "the variance of an embedding is {square}"
    );
}

#[test]
fn dropout_acts_in_training_alone() {
    kiln::model! {
        struct Dropped { drop: f64 = 0.5 }
        input x: [6, 8];
        let a = x -> lstm(8, layers: 2, dropout: drop);
        let b = x -> multi_head_attention(2, causal: true, dropout: drop);
        let c = x -> transformer_encoder(2, layers: 1, feedforward: 8, dropout: drop);
        output a, b, c;
    }
    let _lock = lock();
    let net = DroppedConfig::new()
        .init(&device().autodiff())
        .expect("a valid configuration");
    let run = |net: &Dropped, device: &Device| {
        let (a, b, c) = net.forward(Tensor::ones([2, 6, 8], device));
        [a, b, c].map(|output| numbers(&output.into_data()))
    };
    let training = device().autodiff();
    for (first, second) in run(&net, &training).iter().zip(run(&net, &training)) {
        assert_ne!(*first, second);
    }
    let net = net.valid();
    assert_eq!(run(&net, &device()), run(&net, &device()));
}
