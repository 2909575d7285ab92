//! Norms, activations and losses give PyTorch's numbers: outputs, gradients, running statistics.
//!
//! `tests/peers/points.py` recorded them. Each case is declared with `model!`, so the whole path
//! from the declaration to the gradient is compared.

use std::sync::LazyLock;

use kiln_tests::peers::Cases;

static CASES: LazyLock<Cases> = LazyLock::new(|| Cases::read(include_str!("../peers/points.json")));

#[test]
fn every_recorded_case_is_compared() {
    let tests = include_str!("layers_points.rs");
    for case in CASES.names() {
        assert!(tests.contains(&format!("    {case}: ")), "{case}");
    }
}

/// Declares one network per recorded case, and tests it.
macro_rules! layers {
    ($($case:ident: $input:tt -> $($layer:ident $(($($args:tt)*))?)->+;)*) => {
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
                    super::CASES.layer(stringify!($case), &NetConfig::new());
                }
            }
        )*
    };
}

layers! {
    group_norm: [4, 3, 2] -> group_norm(2);
    group_norm_settings: [6, 5] -> group_norm(3, epsilon: 0.01, affine: false);
    group_norm_on_features: [6] -> group_norm(2);
    group_norm_on_volumes: [2, 2, 3, 2] -> group_norm(1);
    group_norm_of_one_example: [2] -> group_norm(1);
    instance_norm: [3, 3, 2] -> instance_norm;
    instance_norm_settings: [3, 5] -> instance_norm(epsilon: 0.01, affine: true);
    rms_norm: [6] -> rms_norm;
    rms_norm_settings: [3, 4] -> rms_norm(epsilon: 0.01);
    rms_norm_of_small: [4] -> rms_norm(epsilon: 1e-6);
    batch_norm_on_features: [4] -> batch_norm;
    batch_norm_on_sequences: [3, 4] -> batch_norm;
    batch_norm_on_volumes: [2, 3, 2, 2] -> batch_norm;
    local_response_norm: [5, 3] -> local_response_norm(3);
    local_response_norm_even: [5, 2, 3]
        -> local_response_norm(4, alpha: 0.5, beta: 0.6, k: 2.0);
    local_response_norm_wide: [3, 2, 2] -> local_response_norm(9, alpha: 0.1);
    celu: [2, 4, 3] -> celu;
    celu_settings: [2, 4, 3] -> celu(alpha: 0.5);
    elu: [2, 4, 3] -> elu;
    elu_settings: [2, 4, 3] -> elu(alpha: 0.5);
    gelu_tanh: [2, 4, 3] -> gelu(approximate: tanh);
    glu: [2, 4, 3] -> glu(dim: 1);
    glu_of_features: [6] -> glu;
    hardshrink: [2, 4, 3] -> hardshrink;
    hardshrink_settings: [2, 4, 3] -> hardshrink(lambda: 2);
    hardsigmoid: [2, 4, 3] -> hardsigmoid;
    hardswish: [2, 4, 3] -> hardswish;
    hardtanh: [2, 4, 3] -> hardtanh;
    hardtanh_settings: [2, 4, 3] -> hardtanh(min: -0.5, max: 2.0);
    leaky_relu: [2, 4, 3] -> leaky_relu;
    leaky_relu_settings: [2, 4, 3] -> leaky_relu(negative_slope: 0.2);
    log_softmax: [2, 4, 3] -> log_softmax;
    logsigmoid: [2, 4, 3] -> logsigmoid;
    mish: [2, 4, 3] -> mish;
    prelu: [2, 4, 3] -> prelu;
    prelu_of_channels: [2, 4, 3] -> prelu(parameters: channels);
    relu6: [2, 4, 3] -> relu6;
    rrelu_inference: [2, 4, 3] -> rrelu;
    rrelu_inference_settings: [2, 4, 3] -> rrelu(lower: 0.1, upper: 0.2);
    selu: [2, 4, 3] -> selu;
    silu: [2, 4, 3] -> silu;
    softmin: [2, 4, 3] -> softmin;
    softplus: [2, 4, 3] -> softplus;
    softplus_settings: [2, 4, 3] -> softplus(beta: 2.0, threshold: 3.0);
    softshrink: [2, 4, 3] -> softshrink;
    softshrink_settings: [2, 4, 3] -> softshrink(lambda: 2.0);
    softsign: [2, 4, 3] -> softsign;
    swiglu: [3, 4] -> swiglu(3);
    swiglu_with_bias: [3, 4] -> swiglu(3, bias: true);
    tanhshrink: [2, 4, 3] -> tanhshrink;
    threshold: [2, 4, 3] -> threshold(0.5, -2.0);
    thresholded_relu: [2, 4, 3] -> thresholded_relu;
    thresholded_relu_settings: [2, 4, 3] -> thresholded_relu(alpha: 0.3);
}

/// The same for losses, each behind a dense layer and what stands behind it.
macro_rules! losses {
    ($($case:ident: $input:tt $(-> $layer:ident)*, $loss:ident $(($($args:tt)*))?;)*) => {$(
        mod $case {
            kiln::model! {
                pub struct Net;
                input x: $input;
                let y = x -> linear(4) $(-> $layer)*;
                output y;
                loss $loss $(($($args)*))?;
            }

            #[test]
            fn gives_pytorchs_numbers() {
                super::CASES.loss(stringify!($case), &NetConfig::new());
            }
        }
    )*};
}

losses! {
    cross_entropy_of_rows: [3, 3], cross_entropy;
    cross_entropy_of_rows_smoothed: [3, 3], cross_entropy(label_smoothing: 0.2);
    binary_cross_entropy: [3] -> sigmoid, binary_cross_entropy;
    binary_cross_entropy_far_off: [3] -> sigmoid, binary_cross_entropy;
    binary_cross_entropy_with_logits: [3], binary_cross_entropy_with_logits;
    binary_cross_entropy_with_logits_far_off: [3], binary_cross_entropy_with_logits;
    l1: [3], l1;
    huber: [3], huber;
    huber_settings: [3], huber(delta: 0.3);
    smooth_l1: [3], smooth_l1;
    smooth_l1_settings: [3], smooth_l1(beta: 0.3);
    kl_divergence: [3] -> log_softmax, kl_divergence;
    poisson_nll: [3], poisson_nll;
    poisson_nll_full: [3], poisson_nll(full: true);
    poisson_nll_of_counts: [3] -> softplus, poisson_nll(log_input: false, epsilon: 1e-3);
    soft_margin: [3], soft_margin;
    soft_margin_far_off: [3], soft_margin;
    multi_margin: [3], multi_margin;
    multi_margin_settings: [3], multi_margin(p: 2, margin: 0.4);
    multi_margin_of_rows: [3, 3], multi_margin;
    hinge_embedding: [3], hinge_embedding;
    hinge_embedding_settings: [3], hinge_embedding(margin: 0.3);
    ctc: [6, 3] -> log_softmax, ctc;
    ctc_far_off: [6, 3] -> log_softmax, ctc;
    ctc_tight: [4, 3] -> log_softmax, ctc;
    ctc_untrained: [6, 3] -> log_softmax, ctc;
}

/// The same for a loss that compares two outputs.
macro_rules! pairs {
    ($($case:ident: $left:ident, $right:ident $(-> $layer:ident)?, $loss:ident $args:tt;)*) => {$(
        mod $case {
            kiln::model! {
                pub struct Net;
                input x: [3];
                let $left = x -> linear(4) $(-> $layer)?;
                let $right = x -> linear(4) $(-> $layer)?;
                output $left, $right;
                loss $loss $args;
            }

            #[test]
            fn gives_pytorchs_numbers() {
                super::CASES.loss(stringify!($case), &NetConfig::new());
            }
        }
    )*};
}

pairs! {
    cosine_embedding: left, right, cosine_embedding(left, right);
    cosine_embedding_settings: left, right, cosine_embedding(left, right, margin: 0.2);
    margin_ranking: left, right, margin_ranking(left, right);
    margin_ranking_settings: left, right, margin_ranking(left, right, margin: 0.4);
    gaussian_nll: mean, variance -> softplus, gaussian_nll(mean, variance);
    gaussian_nll_settings: mean, variance -> softplus,
        gaussian_nll(mean, variance, full: true, epsilon: 0.6);
}
