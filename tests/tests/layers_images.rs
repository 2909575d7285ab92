//! Layers of signals, images, volumes and shapes give PyTorch's numbers, gradients included.
//!
//! `tests/peers/images.py` recorded them.

use std::sync::LazyLock;

use kiln_tests::peers::Cases;

static CASES: LazyLock<Cases> = LazyLock::new(|| Cases::read(include_str!("../peers/images.json")));

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
    conv1d: [2, 7] -> conv1d(3, kernel: 3);
    conv1d_strided: [2, 9] -> conv1d(3, kernel: 4, stride: 3, padding: 2);
    conv1d_dilated: [2, 8] -> conv1d(2, kernel: 3, dilation: 2, padding: 1);
    conv1d_groups: [4, 5] -> conv1d(6, kernel: 3, groups: 2, padding: 1);
    conv1d_depthwise: [3, 6] -> conv1d(3, kernel: 2, groups: 3);
    conv1d_no_bias: [2, 5] -> conv1d(3, kernel: 3, bias: false);
    conv1d_same: [2, 5] -> conv1d(2, kernel: 3, padding: same);
    conv1d_same_even: [2, 6] -> conv1d(2, kernel: 4, padding: same, dilation: 3);
    conv1d_before_relu: [2, 7] -> conv1d(3, kernel: 3) -> relu;
    conv3d: [2, 3, 4, 3] -> conv3d(3, kernel: 2);
    conv3d_strided: [2, 4, 5, 3] -> conv3d(2, kernel: 3, stride: 2, padding: 1);
    conv3d_sides_differ: [1, 3, 4, 4]
        -> conv3d(2, kernel: [1, 2, 3], stride: [2, 1, 2], padding: [0, 1, 2]);
    conv3d_dilated: [1, 3, 4, 3] -> conv3d(2, kernel: 2, dilation: [1, 2, 3], padding: 1);
    conv3d_groups: [4, 3, 2, 3] -> conv3d(2, kernel: 2, groups: 2, bias: false);
    conv3d_same: [1, 3, 2, 4] -> conv3d(2, kernel: [3, 1, 3], padding: same);
    conv3d_same_dilated: [1, 3, 4, 2]
        -> conv3d(1, kernel: [2, 3, 1], padding: same, dilation: 2);
    conv_transpose1d: [2, 4] -> conv_transpose1d(3, kernel: 3);
    conv_transpose1d_strided: [2, 5]
        -> conv_transpose1d(3, kernel: 4, stride: 3, padding: 2, output_padding: 1);
    conv_transpose1d_dilated: [2, 4]
        -> conv_transpose1d(2, kernel: 3, dilation: 3, padding: 1, output_padding: 2);
    conv_transpose1d_groups: [4, 3]
        -> conv_transpose1d(6, kernel: 3, groups: 2, stride: 2, bias: false);
    conv_transpose1d_kernel_below_stride: [1, 3]
        -> conv_transpose1d(2, kernel: 2, stride: 4, output_padding: 3);
    conv_transpose2d: [2, 3, 4] -> conv_transpose2d(3, kernel: 3);
    conv_transpose2d_doubles: [2, 3, 4] -> conv_transpose2d(3, kernel: 2, stride: 2);
    conv_transpose2d_strided: [2, 3, 4]
        -> conv_transpose2d(2, kernel: 3, stride: 2, padding: 1, output_padding: 1);
    conv_transpose2d_sides_differ: [1, 3, 2]
        -> conv_transpose2d(
            2, kernel: [2, 4], stride: [3, 2], padding: [0, 1], output_padding: [2, 0],
            dilation: [1, 2],
        );
    conv_transpose2d_groups: [4, 3, 2] -> conv_transpose2d(2, kernel: 3, groups: 2, padding: 1);
    conv_transpose2d_no_bias: [2, 3, 3] -> conv_transpose2d(3, kernel: 2, bias: false);
    conv_transpose3d: [2, 2, 3, 2] -> conv_transpose3d(1, kernel: 2);
    conv_transpose3d_settings: [2, 2, 2, 2]
        -> conv_transpose3d(
            4, kernel: [1, 2, 3], stride: [2, 1, 2], padding: [0, 1, 1],
            output_padding: [1, 1, 0], dilation: [1, 2, 1], groups: 2,
        );
    max_pool1d: [2, 7] -> max_pool1d(2);
    max_pool1d_overlapping: [2, 6] -> max_pool1d(3, stride: 2, padding: 1);
    max_pool1d_dilated: [2, 8] -> max_pool1d(3, stride: 1, dilation: 2);
    max_pool1d_ceil: [2, 7] -> max_pool1d(2, ceil_mode: true);
    max_pool1d_ceil_padded: [2, 7] -> max_pool1d(2, stride: 3, padding: 1, ceil_mode: true);
    max_pool2d_dilated: [2, 4, 5] -> max_pool2d(2, stride: 1, dilation: [1, 2]);
    max_pool2d_ceil: [2, 6, 5] -> max_pool2d(3, stride: 2, ceil_mode: true);
    max_pool2d_ceil_padded: [1, 7, 6]
        -> max_pool2d([2, 3], stride: [3, 2], padding: 1, ceil_mode: true);
    avg_pool1d: [2, 7] -> avg_pool1d(2);
    avg_pool1d_padded: [2, 6] -> avg_pool1d(3, stride: 2, padding: 1);
    avg_pool1d_padding_left_out: [2, 6]
        -> avg_pool1d(3, stride: 2, padding: 1, count_include_pad: false);
    avg_pool1d_ceil: [2, 6] -> avg_pool1d(3, stride: 2, padding: 1, ceil_mode: true);
    avg_pool2d_ceil: [2, 6, 5] -> avg_pool2d(3, stride: 2, ceil_mode: true);
    avg_pool2d_ceil_padded: [1, 7, 5]
        -> avg_pool2d(2, stride: [3, 2], padding: 1, ceil_mode: true);
    avg_pool2d_ceil_left_out: [1, 6, 4]
        -> avg_pool2d(3, stride: 2, padding: 1, ceil_mode: true, count_include_pad: false);
    adaptive_avg_pool1d: [2, 7] -> adaptive_avg_pool1d(3);
    adaptive_avg_pool2d: [2, 4, 6] -> adaptive_avg_pool2d(2);
    adaptive_avg_pool2d_uneven: [2, 5, 3] -> adaptive_avg_pool2d([3, 5]);
    adaptive_avg_pool3d: [1, 3, 2, 5] -> adaptive_avg_pool3d([2, 1, 3]);
    adaptive_max_pool1d: [2, 7] -> adaptive_max_pool1d(3);
    adaptive_max_pool2d: [2, 4, 6] -> adaptive_max_pool2d(2);
    adaptive_max_pool2d_uneven: [2, 5, 3] -> adaptive_max_pool2d([3, 5]);
    adaptive_max_pool3d: [1, 3, 2, 5] -> adaptive_max_pool3d([2, 1, 3]);
    global_avg_pool_of_signals: [3, 5] -> global_avg_pool;
    global_avg_pool_of_volumes: [3, 2, 3, 2] -> global_avg_pool;
    global_max_pool: [3, 3, 4] -> global_max_pool;
    global_max_pool_of_signals: [3, 5] -> global_max_pool;
    pad_signals: [2, 3] -> pad([2, 1]);
    pad_images: [2, 3, 2] -> pad([1, 0, 2, 3], value: -1.5);
    pad_channels: [2, 3, 2] -> pad([0, 1, 0, 0, 2, 1]);
    pad_reflect: [2, 4] -> pad([2, 1], mode: reflect);
    pad_reflect_images: [2, 3, 4] -> pad([1, 2, 2, 0], mode: reflect);
    pad_replicate: [2, 3] -> pad([4, 1], mode: replicate);
    pad_replicate_images: [2, 3, 2] -> pad([1, 2, 3, 0], mode: replicate);
    pad_circular: [2, 3] -> pad([3, 1], mode: circular);
    pad_circular_images: [2, 3, 4] -> pad([1, 2, 0, 3], mode: circular);
    interpolate_signals: [2, 4] -> interpolate(scale: 2);
    interpolate_images: [2, 2, 3] -> interpolate(scale: [3, 2]);
    interpolate_images_to_size: [2, 5, 4] -> interpolate(size: [3, 7]);
    interpolate_volumes: [1, 2, 3, 2] -> interpolate(size: [3, 2, 4]);
    interpolate_linear: [2, 4] -> interpolate(size: 7, mode: linear);
    interpolate_linear_down: [2, 7] -> interpolate(size: 3, mode: linear);
    interpolate_linear_corners: [2, 4]
        -> interpolate(size: 7, mode: linear, align_corners: true);
    interpolate_linear_to_one: [2, 4]
        -> interpolate(size: 1, mode: linear, align_corners: true);
    interpolate_bilinear: [2, 3, 4] -> interpolate(scale: 2, mode: bilinear);
    interpolate_bilinear_to_size: [2, 5, 4] -> interpolate(size: [3, 7], mode: bilinear);
    interpolate_bilinear_corners: [2, 3, 4]
        -> interpolate(size: [5, 2], mode: bilinear, align_corners: true);
    interpolate_trilinear: [1, 2, 3, 2] -> interpolate(size: [3, 2, 4], mode: trilinear);
    interpolate_bicubic: [2, 3, 4] -> interpolate(scale: 2, mode: bicubic);
    interpolate_bicubic_down: [1, 7, 6] -> interpolate(size: [3, 4], mode: bicubic);
    interpolate_bicubic_corners: [1, 4, 3]
        -> interpolate(size: [7, 5], mode: bicubic, align_corners: true);
    pixel_shuffle: [8, 2, 3] -> pixel_shuffle(2);
    pixel_unshuffle: [2, 3, 6] -> pixel_unshuffle(3);
    unfold2d: [2, 3, 4] -> unfold2d(2);
    unfold2d_settings: [2, 4, 5]
        -> unfold2d([2, 3], stride: [1, 2], padding: [1, 0], dilation: [2, 1]);
    reshape: [4, 6] -> reshape([3, 8]);
    reshape_to_more: [12] -> reshape([2, 3, 2]);
    reshape_the_rest: [2, 4, 3] -> reshape([-1, 8]);
    permute: [2, 3, 4] -> permute([2, 0, 1]);
    mean: [3, 4] -> mean(0);
    mean_of_last: [2, 3, 4] -> mean(-1);
    sum: [2, 3, 4] -> sum(dim: 1);
    max: [2, 3, 4] -> max(1);
    max_of_first: [3, 4] -> max(0);
    select: [3, 4] -> select(0, 2);
    select_last: [2, 3, 4] -> select(dim: 1, index: -1);
    identity: [2, 3] -> identity;
}

#[test]
fn every_recorded_case_is_compared() {
    let mut compared = LAYERS.to_vec();
    compared.sort_unstable();
    let mut recorded: Vec<_> = CASES.names().collect();
    recorded.sort_unstable();
    assert_eq!(compared, recorded);
}

/// What only the tensor knows goes through layers that need not know it.
mod any_length {
    kiln::model! {
        pub struct Net;
        input x: [2, any length];
        let y = x -> conv1d(4, kernel: 3, padding: same) -> max_pool1d(2) -> interpolate(scale: 2)
            -> pad([1, 1], mode: reflect) -> reshape([-1, 2]) -> permute([1, 0]) -> select(1, -1);
        output y;
        loss mse;
    }

    #[test]
    fn goes_through() {
        let device = kiln_tests::device();
        let net = NetConfig::new().init(&device).expect("valid");
        for length in [4, 7, 10] {
            let x = kiln::Tensor::ones([3, 2, length], &device);
            assert_eq!(net.forward(x).dims(), [3, 2]);
        }
    }
}
