//! Norms, activations and losses give PyTorch's numbers: outputs, gradients, running statistics.
//!
//! `tests/peers/points.py` recorded them. Each case is declared with `model!`, so the whole path
//! from the declaration to the gradient is compared.

use std::sync::LazyLock;

use kiln_tests::peers::Cases;

static CASES: LazyLock<Cases> = LazyLock::new(|| Cases::read(include_str!("../peers/points.json")));

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
