//! Makes a layer as its code says, and runs it.

use kiln::burn::module::Module;
use kiln::layer::*;
use kiln::{Int, Tensor};
use kiln_tests::device;
use proc_macro2::TokenStream;

use crate::read::{Code, Read};
use crate::syntax::Head;

/// A batch, of whatever rank.
#[derive(Clone)]
pub enum Value {
    R2(Tensor<2>),
    R3(Tensor<3>),
    R4(Tensor<4>),
    R5(Tensor<5>),
    Integers2(Tensor<2, Int>),
    Integers3(Tensor<3, Int>),
    Integers4(Tensor<4, Int>),
}

/// `$body` with the tensor of whatever rank as `$tensor`.
macro_rules! each_rank {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            Value::R2($tensor) => $body,
            Value::R3($tensor) => $body,
            Value::R4($tensor) => $body,
            Value::R5($tensor) => $body,
            _ => panic!("integers go into an embedding only"),
        }
    };
}

macro_rules! from_rank {
    ($($variant:ident: $rank:literal),*) => {
        $(impl From<Tensor<$rank>> for Value {
            fn from(tensor: Tensor<$rank>) -> Value {
                Value::$variant(tensor)
            }
        })*
    };
}

from_rank!(R2: 2, R3: 3, R4: 4, R5: 5);

impl Value {
    /// A batch of examples of a shape.
    pub fn zeros(batch: usize, shape: &[usize], integers: bool) -> Value {
        let device = device();
        match (shape, integers) {
            (&[a], false) => Tensor::<2>::zeros([batch, a], &device).into(),
            (&[a, b], false) => Tensor::<3>::zeros([batch, a, b], &device).into(),
            (&[a, b, c], false) => Tensor::<4>::zeros([batch, a, b, c], &device).into(),
            (&[a, b, c, d], false) => Tensor::<5>::zeros([batch, a, b, c, d], &device).into(),
            (&[a], true) => Value::Integers2(Tensor::zeros([batch, a], &device)),
            (&[a, b], true) => Value::Integers3(Tensor::zeros([batch, a, b], &device)),
            (&[a, b, c], true) => Value::Integers4(Tensor::zeros([batch, a, b, c], &device)),
            _ => panic!("no stack begins with {shape:?}"),
        }
    }

    pub fn dims(&self) -> Vec<usize> {
        each_rank!(self, tensor => tensor.dims().to_vec())
    }
}

/// The layers by the name of what makes them: the arguments of `new`, the settings, how it is made
/// of its settings, its type, and the ranks that it takes: one, `any`, or `any` to another.
macro_rules! layers {
    ($of:ident; $($name:ident($($new:ident $(: $ty:ty)?),*) [$($with:ident),*] $init:ident $(as $layer:ty)?, $rank:tt;)*) => {
        match $of.code.name.as_str() {
            $(stringify!($name) => {
                let mut new = $of.code.new.iter();
                $(let $new $(: $ty)? = Read::read(new.next().expect("an argument"), $of.head);)*
                let made = $name::new($($new),*);
                let settings = $of.code.with.iter();
                let made = settings.fold(made, |made, (setting, value)| {
                    match setting.as_str() {
                        $(stringify!($with) => made.$with(Read::read(value, $of.head)),)*
                        other => panic!("`{other}` is not known here"),
                    }
                });
                let layer = layers!(@$init made);
                $(let layer: $layer = layer.into();)?
                (layers!(@$rank $of, layer), layer.num_params())
            })*
            other => panic!("`{other}` is not known here; give it a line"),
        }
    };
    (@plain $made:ident) => { $made };
    (@init $made:ident) => { $made.init() };
    (@on_device $made:ident) => { $made.init(&device()) };
    (@3 $of:ident, $layer:ident) => {
        match $of.input { Value::R3(x) => Value::from($layer.forward(x)), _ => panic!("rank") }
    };
    (@4 $of:ident, $layer:ident) => {
        match $of.input { Value::R4(x) => Value::from($layer.forward(x)), _ => panic!("rank") }
    };
    (@5 $of:ident, $layer:ident) => {
        match $of.input { Value::R5(x) => Value::from($layer.forward(x)), _ => panic!("rank") }
    };
    (@memory $of:ident, $layer:ident) => {
        match ($of.input, $of.memory) {
            (Value::R3(x), Some(Value::R3(memory))) => Value::from($layer.forward(x, memory)),
            _ => panic!("rank"),
        }
    };
    (@integers $of:ident, $layer:ident) => {
        match $of.input {
            Value::Integers2(x) => Value::R3($layer.forward(x)),
            Value::Integers3(x) => Value::R4($layer.forward(x)),
            Value::Integers4(x) => Value::R5($layer.forward(x)),
            _ => panic!("an embedding takes integers"),
        }
    };
    (@any $of:ident, $layer:ident) => {
        each_rank!($of.input, x => Value::from($layer.forward(x)))
    };
    (@other $of:ident, $layer:ident) => {
        each_rank!($of.input, x => match $of.rank {
            2 => Value::R2($layer.forward(x)),
            3 => Value::R3($layer.forward(x)),
            4 => Value::R4($layer.forward(x)),
            5 => Value::R5($layer.forward(x)),
            rank => panic!("no stack has rank {rank}"),
        })
    };
}

struct Run<'a> {
    code: Code,
    input: Value,
    memory: Option<Value>,
    /// Of the output.
    rank: usize,
    head: &'a Head,
}

/// What the layer that `init` makes gives, and how many parameters it has.
pub fn layer(init: &TokenStream, inputs: Vec<Value>, rank: usize, head: &Head) -> (Value, usize) {
    let mut inputs = inputs.into_iter();
    let run = Run {
        code: Code::of(init),
        input: inputs.next().expect("an input"),
        memory: inputs.next(),
        rank,
        head,
    };
    #[allow(unused_mut, unused_variables)] // Where there are no arguments, or no settings.
    let result = layers! { run;
        LinearConfig(inputs, outputs) [with_bias] on_device as Linear, any;
        Conv1dConfig(inputs, outputs, kernel)
            [with_stride, with_padding, with_dilation, with_groups, with_bias]
            on_device as Conv1d, 3;
        Conv2dConfig(channels, kernel)
            [with_stride, with_padding, with_dilation, with_groups, with_bias]
            on_device as Conv2d, 4;
        Conv3dConfig(channels, kernel)
            [with_stride, with_padding, with_dilation, with_groups, with_bias] on_device, 5;
        ConvTranspose1dConfig(channels, kernel)
            [with_stride, with_padding, with_padding_out, with_dilation, with_groups, with_bias]
            on_device as ConvTranspose1d, 3;
        ConvTranspose2dConfig(channels, kernel)
            [with_stride, with_padding, with_padding_out, with_dilation, with_groups, with_bias]
            on_device as ConvTranspose2d, 4;
        ConvTranspose3dConfig(channels, kernel)
            [with_stride, with_padding, with_padding_out, with_dilation, with_groups, with_bias]
            on_device, 5;
        MaxPool1dConfig(kernel) [with_stride, with_padding, with_dilation, with_ceil_mode]
            init as MaxPool1d, 3;
        MaxPool2dConfig(kernel) [with_strides, with_padding, with_dilation, with_ceil_mode]
            init as MaxPool2d, 4;
        AvgPool1dConfig(kernel)
            [with_stride, with_padding, with_count_include_pad, with_ceil_mode]
            init as AvgPool1d, 3;
        AvgPool2dConfig(kernel)
            [with_strides, with_padding, with_count_include_pad, with_ceil_mode]
            init as AvgPool2d, 4;
        AdaptiveAvgPool1dConfig(size) [] init, 3;
        AdaptiveAvgPool2dConfig(size) [] init, 4;
        AdaptiveAvgPool3dConfig(size) [] init, 5;
        AdaptiveMaxPool(size: Vec<usize>) [] plain, any;
        GlobalAvgPool() [] plain, any;
        GlobalMaxPool() [] plain, any;
        PadConfig(amounts) [with_mode] init, any;
        InterpolateConfig(size) [with_mode, with_align_corners] init, any;
        PixelShuffleConfig(factor) [] init, 4;
        PixelUnshuffleConfig(factor) [] init, 4;
        Unfold4dConfig(kernel) [with_stride, with_padding, with_dilation] init, 4;
        Flatten() [] plain, any;
        Reshape(shape: Vec<i64>) [] plain, other;
        Permute(dims: Vec<usize>) [] plain, any;
        Mean(dim) [] plain, other;
        Max(dim) [] plain, other;
        Sum(dim) [] plain, other;
        Select(dim, index) [] plain, other;
        Identity() [] plain, any;
        BatchNormConfig(features) [with_epsilon, with_momentum] on_device as BatchNorm, any;
        LayerNormConfig(features) [with_epsilon, with_bias] on_device, any;
        GroupNormConfig(groups, channels) [with_epsilon, with_affine] on_device, any;
        InstanceNormConfig(channels) [with_epsilon, with_affine] on_device, any;
        RmsNormConfig(width) [with_epsilon] on_device, any;
        LocalResponseNormConfig(size) [with_alpha, with_beta, with_k] init, any;
        DropoutConfig(p) [] init, any;
        Dropout2dConfig(p) [] init, 4;
        AlphaDropoutConfig(p) [] init, any;
        StochasticDepthConfig(p) [] init, any;
        GaussianNoiseConfig(std) [] init, any;
        Relu() [] plain, any;
        Relu6() [] plain, any;
        LeakyReluConfig() [with_negative_slope] init, any;
        PReluConfig() [with_parameters, with_slope] on_device, any;
        RReluConfig() [with_lower, with_upper] init, any;
        ThresholdedReluConfig() [with_alpha] init, any;
        ThresholdConfig(threshold, value) [] init, any;
        EluConfig() [with_alpha] init, any;
        CeluConfig() [with_alpha] init, any;
        Selu() [] plain, any;
        Gelu() [] plain, any;
        GeluTanh() [] plain, any;
        SiLU() [] plain, any;
        Mish() [] plain, any;
        SoftplusConfig() [with_beta, with_threshold] init, any;
        Tanh() [] plain, any;
        HardtanhConfig() [with_min, with_max] init, any;
        Tanhshrink() [] plain, any;
        Softsign() [] plain, any;
        SoftShrinkConfig() [with_lambda] init, any;
        HardShrinkConfig() [with_lambda] init, any;
        Sigmoid() [] plain, any;
        LogSigmoid() [] plain, any;
        Hardsigmoid() [] plain, any;
        Hardswish() [] plain, any;
        Softmax() [] plain, any;
        LogSoftmax() [] plain, any;
        Softmin() [] plain, any;
        GLU(dim: i64) [] plain, any;
        SwiGluConfig(inputs, outputs) [with_bias] on_device, any;
        EmbeddingConfig(rows, columns) [] on_device as Embedding, integers;
        PositionEmbeddingConfig(rows, columns) [] on_device, 3;
        SinusoidalPositionsConfig() [with_base] init, 3;
        RotaryEmbeddingConfig() [with_base] init, any;
        ClassTokenConfig(dim) [] on_device, 3;
        LstmConfig(inputs, hidden)
            [with_layers, with_bidirectional, with_bias, with_dropout] on_device, 3;
        GruConfig(inputs, hidden)
            [with_layers, with_bidirectional, with_bias, with_dropout] on_device, 3;
        RnnConfig(inputs, hidden)
            [with_layers, with_bidirectional, with_bias, with_dropout, with_nonlinearity]
            on_device, 3;
        MultiHeadAttentionConfig(dim, heads)
            [with_causal, with_bias, with_dropout, with_rotary] on_device, 3;
        CrossAttentionConfig(dim, memory, heads) [with_bias, with_dropout] on_device, memory;
        TransformerEncoderConfig(dim, heads, layers)
            [
                with_feedforward, with_norm_first, with_causal, with_norm, with_bias,
                with_dropout, with_epsilon, with_activation
            ]
            on_device, 3;
        TransformerDecoderConfig(dim, heads, layers)
            [
                with_feedforward, with_norm_first, with_causal, with_norm, with_bias,
                with_dropout, with_epsilon, with_activation
            ]
            on_device, memory;
    };
    result
}
