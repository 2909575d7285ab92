//! The tangent of every layer of the language is its derivative, and the gradient of the loss's tangent
//! the product with its Hessian.

use kiln::burn::tensor::FloatDType;
use kiln_tests::drawn::Numbers;
use kiln_tests::tangents::{self, Tried, device_in};

/// Declares one network per case, and tests it.
macro_rules! layers {
    ($($case:ident { $($body:tt)* })*) => {
        const CASES: &[(&str, tangents::Product)] = &[$((stringify!($case), $case::product)),*];
        $(
            mod $case {
                use super::*;

                kiln::model! {
                    pub struct Net;
                    $($body)*
                    output y;
                    loss mse;
                }

                fn tried(precision: FloatDType) -> Tried<Net> {
                    let (case, device) = (stringify!($case), device_in(precision));
                    Tried::new(case, &NetConfig::new(), Numbers::Any, &device)
                }

                pub fn product(precision: FloatDType) -> Vec<f64> {
                    tried(precision).product()
                }

                #[test]
                fn is_the_derivative() {
                    tried(FloatDType::F64).check();
                }
            }
        )*
    };
}

/// Chains, and what is more than a chain.
macro_rules! cases {
    (
        chains { $($chain:ident: $input:tt -> $($layer:ident $(($($args:tt)*))?)->+;)* }
        $($case:ident $body:tt)*
    ) => {
        layers! {
            $($chain { input x: $input; let y = x $(-> $layer $(($($args)*))?)+; })*
            $($case $body)*
        }
    };
}

#[test]
fn every_layer_is_tested() {
    tangents::covers(include_str!("tangents.rs"), "-> ", "layers", &["layer("]);
}

#[test]
fn single_precision_gives_the_same() {
    tangents::single_precision("single_precision_gives_the_same", CASES);
}

cases! {
    // In front of each is something through which its input changes.
    chains {
        linear: [4] -> linear(3) -> tanh -> linear(3);
        linear_on_rows: [3, 4] -> linear(3) -> tanh -> linear(2, bias: false);
        relu: [4, 3] -> linear(4) -> relu -> linear(3) -> tanh;
        relu6: [4] -> linear(5) -> relu6 -> linear(3) -> tanh;
        leaky_relu: [4] -> linear(5) -> leaky_relu(negative_slope: 0.2) -> linear(3) -> tanh;
        prelu: [4, 3] -> linear(3) -> prelu(parameters: channels) -> linear(3) -> tanh;
        prelu_of_one: [4] -> linear(5) -> prelu -> linear(3);
        rrelu: [4] -> linear(5) -> rrelu -> linear(3) -> tanh;
        thresholded_relu: [4] -> linear(5) -> thresholded_relu(alpha: 0.3) -> linear(3) -> tanh;
        threshold: [4] -> linear(5) -> threshold(0.2, -0.5) -> linear(3) -> tanh;
        elu: [4] -> linear(5) -> elu(alpha: 0.7);
        celu: [4] -> linear(5) -> celu(alpha: 0.5);
        selu: [4] -> linear(5) -> selu;
        gelu: [4] -> linear(5) -> gelu;
        gelu_tanh: [4] -> linear(5) -> gelu(approximate: tanh);
        silu: [4] -> linear(5) -> silu;
        mish: [4] -> linear(5) -> mish;
        softplus: [4] -> linear(5) -> softplus;
        softplus_settings: [4] -> linear(5) -> softplus(beta: 2.0, threshold: 1.0);
        hardtanh: [4] -> linear(5) -> hardtanh(min: -0.5, max: 0.7) -> linear(3) -> tanh;
        tanhshrink: [4] -> linear(5) -> tanhshrink;
        softsign: [4] -> linear(5) -> softsign;
        softshrink: [4] -> linear(5) -> softshrink(lambda: 0.3) -> linear(3) -> tanh;
        hardshrink: [4] -> linear(5) -> hardshrink(lambda: 0.3) -> linear(3) -> tanh;
        sigmoid: [4] -> linear(5) -> sigmoid;
        logsigmoid: [4] -> linear(5) -> logsigmoid;
        hardsigmoid: [4] -> linear(5) -> hardsigmoid -> linear(3) -> tanh;
        hardswish: [4] -> linear(5) -> hardswish -> linear(3) -> tanh;
        softmax: [3, 4] -> linear(5) -> softmax;
        log_softmax: [4] -> linear(5) -> log_softmax;
        softmin: [4] -> linear(5) -> softmin;
        glu: [4, 3] -> linear(5) -> glu(dim: 0);
        glu_of_features: [4] -> linear(6) -> glu;
        swiglu: [4] -> linear(5) -> swiglu(3) -> swiglu(2, bias: true);
        identity: [4] -> linear(3) -> identity -> tanh;
        dropout: [4] -> linear(3) -> tanh -> dropout(0.5) -> linear(2);
        dropout2d: [3, 2, 2] -> conv2d(2, kernel: 1) -> tanh -> dropout2d(0.5);
        alpha_dropout: [4] -> linear(3) -> selu -> alpha_dropout(0.5) -> linear(2);
        stochastic_depth: [4] -> linear(3) -> tanh -> stochastic_depth(0.5) -> linear(2);
        gaussian_noise: [4] -> linear(3) -> tanh -> gaussian_noise(0.5) -> linear(2);
        conv1d: [2, 7] -> conv1d(3, kernel: 3, stride: 2) -> tanh -> conv1d(2, kernel: 2, bias: false);
        conv2d: [2, 5, 4] -> conv2d(3, kernel: 3, padding: same) -> tanh
            -> conv2d(4, kernel: 2, stride: 2, bias: false) -> tanh
            -> conv2d(2, kernel: 1, groups: 2);
        conv3d: [2, 3, 4, 3] -> conv3d(3, kernel: 2) -> tanh -> conv3d(2, kernel: 2, bias: false);
        conv_transpose1d: [2, 4] -> conv_transpose1d(3, kernel: 3, stride: 2) -> tanh
            -> conv_transpose1d(2, kernel: 2, bias: false);
        conv_transpose2d: [2, 2, 3] -> conv_transpose2d(2, kernel: 2, stride: 2) -> tanh
            -> conv_transpose2d(2, kernel: 2, bias: false);
        conv_transpose3d: [1, 2, 2, 2] -> conv_transpose3d(2, kernel: 2) -> tanh
            -> conv_transpose3d(1, kernel: 2, bias: false);
        max_pool1d: [2, 7] -> conv1d(2, kernel: 2) -> max_pool1d(3, stride: 2, padding: 1) -> tanh;
        max_pool2d: [2, 5, 4] -> conv2d(2, kernel: 2) -> max_pool2d(2) -> tanh;
        max_pool2d_overlapping: [2, 5, 4] -> conv2d(2, kernel: 2)
            -> max_pool2d(3, stride: 1, padding: 1) -> tanh;
        avg_pool1d: [2, 7] -> conv1d(2, kernel: 2) -> avg_pool1d(3, stride: 2, padding: 1) -> tanh;
        avg_pool2d: [2, 5, 4] -> conv2d(2, kernel: 2) -> avg_pool2d(2) -> tanh;
        adaptive_avg_pool1d: [2, 7] -> conv1d(2, kernel: 2) -> adaptive_avg_pool1d(4) -> tanh;
        adaptive_avg_pool2d: [2, 5, 4] -> conv2d(2, kernel: 2) -> adaptive_avg_pool2d([3, 2]) -> tanh;
        adaptive_avg_pool3d: [1, 3, 4, 3] -> conv3d(2, kernel: 2) -> adaptive_avg_pool3d(2) -> tanh;
        adaptive_max_pool1d: [2, 7] -> conv1d(2, kernel: 2) -> adaptive_max_pool1d(4) -> tanh;
        adaptive_max_pool2d: [2, 5, 4] -> conv2d(2, kernel: 2) -> adaptive_max_pool2d([3, 2]) -> tanh;
        adaptive_max_pool3d: [1, 3, 4, 3] -> conv3d(2, kernel: 2) -> adaptive_max_pool3d(2) -> tanh;
        global_avg_pool: [2, 3, 4] -> conv2d(3, kernel: 2) -> global_avg_pool -> tanh;
        global_max_pool: [2, 3, 4] -> conv2d(3, kernel: 2) -> global_max_pool -> tanh;
        batch_norm: [2, 3, 4] -> conv2d(3, kernel: 2) -> batch_norm -> tanh;
        batch_norm_on_features: [4] -> linear(3) -> batch_norm(epsilon: 0.01) -> tanh;
        layer_norm: [3, 4] -> linear(5) -> layer_norm -> tanh -> layer_norm(epsilon: 0.1, bias: false);
        group_norm: [4, 3] -> linear(3) -> group_norm(2) -> tanh -> group_norm(1, affine: false);
        instance_norm: [2, 4] -> linear(5) -> instance_norm -> tanh -> instance_norm(affine: true);
        rms_norm: [3, 4] -> linear(5) -> rms_norm;
        local_response_norm: [5, 3] -> linear(3) -> local_response_norm(3, alpha: 0.5, k: 2.0);
        flatten: [2, 3] -> linear(2) -> tanh -> flatten;
        reshape: [2, 3] -> linear(2) -> tanh -> reshape([4]);
        permute: [2, 3] -> linear(3) -> tanh -> permute([1, 0]) -> linear(3);
        mean: [2, 3] -> linear(3) -> tanh -> mean(0);
        max: [2, 3] -> linear(3) -> max(1) -> tanh;
        sum: [2, 3] -> linear(3) -> tanh -> sum(1);
        select: [2, 3] -> linear(3) -> tanh -> select(0, 1);
        pad: [2, 3] -> linear(3) -> pad([1, 0, 0, 1]) -> tanh;
        pad_with_a_number: [3] -> linear(3) -> pad([1, 2], value: 0.7) -> linear(2) -> tanh;
        pad_reflected: [4] -> linear(4) -> pad([2, 1], mode: reflect) -> linear(2) -> tanh;
        pad_replicated: [4] -> linear(4) -> pad([2, 1], mode: replicate) -> linear(2) -> tanh;
        pad_circular: [4] -> linear(4) -> pad([2, 1], mode: circular) -> linear(2) -> tanh;
        interpolate: [2, 3] -> linear(4) -> interpolate(scale: 2) -> tanh;
        interpolate_linear: [2, 3, 3] -> linear(4) -> interpolate(size: [5, 6], mode: bilinear) -> tanh;
        interpolate_cubic: [2, 3, 3] -> linear(4) -> interpolate(size: [5, 6], mode: bicubic) -> tanh;
        pixel_shuffle: [2, 2, 3] -> conv2d(4, kernel: 1) -> pixel_shuffle(2) -> tanh;
        pixel_unshuffle: [1, 2, 4] -> conv2d(2, kernel: 1) -> pixel_unshuffle(2) -> tanh;
        unfold2d: [1, 3, 4] -> conv2d(2, kernel: 1) -> unfold2d(2) -> tanh;
        position_embedding: [3, 4] -> linear(4) -> position_embedding -> tanh;
        sinusoidal_positions: [3, 4] -> linear(5) -> sinusoidal_positions -> tanh;
        rotary_embedding: [3, 4] -> linear(4) -> rotary_embedding(base: 50.0) -> tanh;
        class_token: [3, 4] -> linear(3) -> class_token -> tanh;
        lstm: [4, 3] -> linear(3) -> lstm(2);
        lstm_deep: [3, 3] -> linear(3) -> lstm(2, layers: 2, bidirectional: true, dropout: 0.3);
        lstm_without_bias: [3, 3] -> lstm(2, bias: false);
        gru: [4, 3] -> linear(3) -> gru(2);
        gru_deep: [3, 3] -> linear(3) -> gru(2, layers: 2, bidirectional: true, dropout: 0.3);
        gru_without_bias: [3, 3] -> gru(2, bias: false);
        rnn: [4, 3] -> linear(3) -> rnn(2);
        rnn_deep: [3, 3] -> linear(3) -> rnn(2, layers: 2, bidirectional: true, dropout: 0.3);
        rnn_of_relu: [3, 3] -> linear(3) -> rnn(3, nonlinearity: relu, bias: false) -> tanh;
        multi_head_attention: [3, 4] -> linear(4) -> multi_head_attention(2, dropout: 0.2);
        multi_head_attention_causal: [3, 4] -> linear(4) -> multi_head_attention(2, causal: true);
        multi_head_attention_rotary: [3, 4] -> linear(4)
            -> multi_head_attention(2, rotary: 20.0, causal: true, bias: false);
        transformer_encoder: [3, 4] -> linear(4) -> transformer_encoder(2, layers: 2, feedforward: 5);
        transformer_encoder_norm_first: [3, 4] -> linear(4) -> transformer_encoder(
            2, layers: 1, feedforward: 5, norm_first: true, norm: true, activation: gelu, causal: true
        );
        transformer_encoder_no_bias: [3, 4]
            -> transformer_encoder(1, layers: 1, feedforward: 3, bias: false, activation: gelu);
    }

    embedding { input x: int [3]; let y = x -> embedding(2, 3) -> tanh; }
    embedding_of_rows { input x: int [2, 2]; let y = x -> embedding(2, 3) -> tanh; }
    multi_head_attention_memory {
        input x: [3, 4];
        input m: [2, 4];
        let h = m -> linear(4);
        let y = x -> linear(4) -> multi_head_attention(2, memory: h);
    }
    multi_head_attention_memory_differs {
        input x: [3, 4];
        input m: [2, 3];
        let h = m -> linear(3);
        let y = x -> linear(4) -> multi_head_attention(2, memory: h, bias: false);
    }
    transformer_decoder {
        input x: [3, 4];
        input m: [2, 4];
        let h = m -> linear(4);
        let y = x -> linear(4) -> transformer_decoder(2, layers: 2, memory: h, feedforward: 5);
    }
    transformer_decoder_norm_first {
        input x: [3, 4];
        input m: [2, 4];
        let h = m -> linear(4);
        let y = x -> linear(4) -> transformer_decoder(
            2, layers: 1, memory: h, feedforward: 5, norm_first: true, norm: true,
            activation: gelu, bias: false
        );
    }
}
