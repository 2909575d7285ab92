//! Every layer and every loss gives PyTorch's numbers: outputs, gradients, running statistics.
//!
//! `tests/peers/layers.py` recorded them. Each case is declared with `model!`, so the whole path
//! from the declaration to the gradient is compared.

use std::sync::LazyLock;

use kiln_tests::peers::Cases;

static CASES: LazyLock<Cases> = LazyLock::new(|| Cases::read(include_str!("../peers/layers.json")));

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
                    super::CASES.layer(stringify!($case), &NetConfig::new());
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
                    super::CASES.loss(stringify!($case), &NetConfig::new());
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
    let mut recorded: Vec<_> = CASES.names().collect();
    recorded.sort_unstable();
    assert_eq!(compared, recorded);
}
