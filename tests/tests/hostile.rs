//! Declarations in crates that are strict, that have their own idea of every common name, and that
//! hide what they declare: they must compile, run, and give no warning.
//!
//! This crate depends on `kiln` and not on `burn`; the documentation's examples have both.

#![deny(
    warnings,
    missing_docs,
    unused,
    nonstandard_style,
    future_incompatible,
    rust_2018_idioms,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
#![forbid(unsafe_code, non_ascii_idents)]

use kiln::model::{InitError, ModelConfig};
use kiln::prelude::{Config, Device, Model, Module, Tensor, default_device};

/// Runs a network of one input and one output on zeros; what comes out has the shape `output`.
fn runs<M>(config: &M::Config, input: [usize; 2], output: [usize; 2]) -> Result<(), InitError>
where
    M: Model<Input = Tensor<2>, Output = Tensor<2>>,
{
    let device = device();
    let model: M = config.init(&device)?;
    assert_eq!(
        Model::forward(&model, Tensor::zeros(input, &device)).dims(),
        output
    );
    assert!(!model.to_string().is_empty());
    assert_eq!(Module::num_params(&model), config.summary()?.params());
    Ok(())
}

fn device() -> Device {
    default_device().unwrap_or_default()
}

/// Every name that an expansion might look up, as something else.
pub mod shadowed {
    #![allow(dead_code, missing_docs, non_camel_case_types, unused_macros)]

    pub struct Result;
    pub struct Option;
    pub struct Vec;
    pub struct String;
    pub struct Some;
    pub struct None;
    pub struct Ok;
    pub struct Err;
    pub struct Box;
    pub struct Tensor;
    pub struct Device;
    pub struct Param;
    pub struct Batch;
    pub struct Summary;
    pub struct Content;
    pub struct Devices;
    pub struct ModuleVisitor;
    pub struct ModuleMapper;
    pub struct Observe;
    pub trait Clone {}
    pub trait Debug {}
    pub trait Display {}
    pub trait Default {}
    pub trait Iterator {}
    pub trait Into {}
    pub trait From {}
    pub trait Fn {}
    pub trait Drop {}
    pub trait Send {}
    pub trait Module {}
    pub trait Config {}
    pub trait Model {}
    pub type usize = ::core::primitive::str;
    pub type f64 = ::core::primitive::str;
    pub type bool = ::core::primitive::str;
    pub type i128 = ::core::primitive::str;
    pub type u64 = ::core::primitive::u8;
    pub mod core {}
    pub mod std {}
    pub mod alloc {}
    pub mod burn {}
    pub mod serde {}
    pub mod layer {}
    pub mod model {}
    macro_rules! vec {
        () => {};
    }
    macro_rules! format {
        () => {};
    }
    macro_rules! unreachable {
        () => {};
    }
    macro_rules! concat {
        () => {};
    }
    macro_rules! stringify {
        () => {};
    }

    ::kiln::model! {
        /// Everything that an expansion may hold.
        pub struct Hostile {
            /// Number of classes.
            classes: usize = 10,
            drop: f64 = 0.1,
            /// The name of a keyword.
            r#type: usize = 4,
            unused: bool = true,
        }

        // The input is called like the parameters and locals of an expansion.
        input observer: [1, 2 * r#type, 8];

        let device = observer -> conv2d(r#type, kernel: 3, padding: same) -> batch_norm -> relu;
        let value = device
            -> repeat 2 { residual { conv2d(r#type, kernel: 1) -> avg_pool2d(1) } -> sigmoid }
            -> max_pool2d(2);
        let r#fn: [4 * r#type * r#type] = value -> flatten -> layer_norm;
        let output = r#fn -> dropout(drop / 2) -> head: linear(classes);
        output output;
        loss cross_entropy(label_smoothing: drop);
    }

    ::kiln::model! {
        /// Every layer of sequences.
        pub struct Heard { drop: f64 = 0.1 }
        input tokens: int [any length];
        input memory: [any elements, 3];
        let x = tokens -> embedding(5, 4) -> position_embedding(9) -> sinusoidal_positions(base: 10)
            -> class_token -> rotary_embedding(base: 10);
        let y = x -> lstm(2, layers: 2, bidirectional: true, dropout: drop) -> gru(4, bias: false)
            -> rnn(4, nonlinearity: relu) -> multi_head_attention(2, memory: memory, dropout: drop);
        let z = y -> multi_head_attention(2, rotary: true, causal: true)
            -> transformer_encoder(2, layers: 1, dropout: drop, activation: gelu, epsilon: 1e-3)
            -> transformer_decoder(2, layers: 1, memory: y, feedforward: 8, norm: true);
        output z;
    }

    ::kiln::model! {
        /// Every norm, every kind of activation, and every loss.
        pub struct Lost { share: f64 = 0.1, groups: usize = 2 }
        input x: [4, 3, 2];
        let normed = x -> group_norm(groups) -> instance_norm(affine: true) -> batch_norm
            -> rms_norm(epsilon: share) -> local_response_norm(groups, k: share)
            -> gaussian_noise(share) -> dropout2d(share) -> alpha_dropout(share)
            -> stochastic_depth(share);
        let target = normed -> relu6 -> leaky_relu(negative_slope: share) -> rrelu(lower: share)
            -> prelu(parameters: channels, slope: share) -> threshold(share, 0)
            -> hardtanh(max: share) -> gelu(approximate: tanh) -> swiglu(4, bias: true) -> glu;
        let loss = target -> linear(groups);
        let output0 = loss -> sigmoid;
        let target0 = loss -> log_softmax;
        let left = loss -> flatten;
        let right = target -> flatten -> linear(12 * groups);
        output loss, output0, target0, left, right;
        loss cross_entropy(left, label_smoothing: share) + share * multi_margin(right, p: 2)
            + (share + 1) * binary_cross_entropy(output0)
            + groups * binary_cross_entropy_with_logits(loss) + kl_divergence(target0)
            + poisson_nll(loss, full: true, epsilon: share) + huber(loss, delta: share)
            + cosine_embedding(left, right, margin: share);
    }

    ::kiln::model! {
        /// Every layer of signals, images, volumes and shapes.
        pub struct Seen { size: usize = 2, edge: f64 = 0.5 }
        input sound: [2 * size, 16];
        let signal = sound -> conv1d(4, kernel: size, padding: same, groups: size) -> relu
            -> max_pool1d(size, ceil_mode: true)
            -> conv_transpose1d(4, kernel: size, stride: size, output_padding: size - 1)
            -> avg_pool1d(size) -> adaptive_avg_pool1d(8) -> adaptive_max_pool1d(4 * size)
            -> pad([size, size], value: edge) -> interpolate(size: 8, mode: linear) -> identity;
        let image = signal -> reshape([size, -1, 4]) -> permute([0, 2, 1])
            -> interpolate(scale: size, mode: bicubic, align_corners: true)
            -> pad([1, 1, 0, 0], mode: reflect) -> conv_transpose2d(4, kernel: size, stride: size)
            -> pixel_shuffle(size) -> pixel_unshuffle(size)
            -> max_pool2d(size, dilation: size, ceil_mode: true)
            -> avg_pool2d(size, ceil_mode: true) -> adaptive_avg_pool2d([4, size])
            -> adaptive_max_pool2d(size);
        let volume = image -> reshape([1, 4, size, size])
            -> conv3d(2, kernel: [3, 1, 1], padding: same)
            -> conv_transpose3d(2, kernel: size, stride: size) -> adaptive_avg_pool3d(4)
            -> adaptive_max_pool3d(size);
        let column = volume -> select(0, size - 1) -> unfold2d(size) -> mean(-1);
        let largest = volume -> global_max_pool;
        let sums = image -> max(0) -> sum(0);
        let output = concat(column, largest, sums, dim: 0);
        output output;
        loss mse;
    }

    ::kiln::model! {
        struct O;
        input self_: [3];
        let v1 = self_ -> linear(4) -> tanh;
        let problems = v1 -> repeat 1 { linear(4) } -> gelu -> softmax;
        output problems;
        loss mse;
    }

    /// The private one.
    #[must_use]
    pub fn quiet()
    -> impl ::kiln::model::ModelConfig<Model: ::kiln::Model<Input = ::kiln::Tensor<2>>> {
        OConfig::new()
    }
}

/// Nothing is in scope but what the language itself knows.
#[no_implicit_prelude]
mod bare {
    ::kiln::model! {
        pub(crate) struct Bare { width: usize = 4, share: f64 = 0.5 }
        input x: [2];
        let y = x -> linear(width) -> dropout(share) -> repeat 2 { linear(width) } -> linear(2);
        output y;
        loss mse;
    }

    ::kiln::optimizer! {
        pub(crate) struct Rule { momentum: f64 = 0.9 }
        update sgd(momentum: momentum);
        update adam() for bias, "head.*";
        clip global_norm(1.0);
    }

    ::kiln::schedule! {
        pub(crate) struct Rate { base: f64 = 0.1 }
        peak base per 256 examples;
        warmup(5 %) -> step(factor: 0.1, at: [30, 60] epochs);
    }
}

/// Types that are called like what an expansion is made of.
mod namesakes {
    kiln::model! {
        /// Called like Burn's trait.
        pub(crate) struct Module { width: usize = 3 }
        input input: [2];
        let linear = input -> linear(width);
        let forward = linear -> relu -> linear(2);
        output forward;
        loss mse;
    }

    kiln::model! {
        pub(super) struct Content;
        input visitor: [2];
        let mapper = visitor -> linear(2);
        let content = mapper -> linear(2);
        output content;
        loss mse;
    }

    /// Two levels down.
    pub(super) mod inner {
        kiln::model! {
            /// Seen by the file.
            pub(in super::super) struct M;
            input x: [2];
            let y = x -> repeat 2 { inner: linear(2) };
            output y;
            loss mse;
        }
    }
}

kiln::model! {
    struct Private { width: usize }
    input x: [2];
    let y = x -> repeat 2 { residual { linear(width) -> linear(2) } };
    output y;
    loss mse;
}

kiln::optimizer! {
    struct PrivateRule { rate: f64 = 0.9 }
    update sgd(momentum: rate);
}

kiln::schedule! {
    struct PrivateRate { base: f64 = 0.1 }
    peak base;
    constant;
}

#[test]
fn a_crate_with_its_own_names_changes_nothing() -> Result<(), InitError> {
    let device = device();
    let config = shadowed::HostileConfig::new().with_type(6).with_classes(3);
    let shape = [1, 12, 8].map(kiln::model::Size::Fixed);
    assert_eq!(config.inputs(), [shape]);
    let model = config.init(&device)?;
    assert_eq!(
        model.forward(Tensor::zeros([2, 1, 12, 8], &device)).dims(),
        [2, 3]
    );
    assert!(model.to_string().contains("Hostile"));
    assert_eq!(model.config().drop.to_string(), "0.1");
    assert!(shadowed::quiet().summary()?.params() > 0);
    let seen = shadowed::SeenConfig::new().init(&device)?;
    assert_eq!(
        seen.forward(Tensor::zeros([2, 4, 16], &device)).dims(),
        [2, 12]
    );
    let text = config.to_string();
    assert_eq!(
        shadowed::HostileConfig::load_binary(text.as_bytes()).ok(),
        Some(config)
    );
    Ok(())
}

#[test]
fn a_module_without_a_prelude_is_enough() -> Result<(), InitError> {
    runs::<bare::Bare>(&bare::BareConfig::new(), [3, 2], [3, 2])?;
    assert_eq!((bare::Rule::new(), bare::Rate::new()), Default::default());
    Ok(())
}

#[test]
fn declarations_may_be_called_like_what_they_become() -> Result<(), InitError> {
    runs::<namesakes::Module>(&namesakes::ModuleConfig::new(), [3, 2], [3, 2])?;
    runs::<namesakes::Content>(&namesakes::ContentConfig::new(), [3, 2], [3, 2])?;
    runs::<namesakes::inner::M>(&namesakes::inner::MConfig::new(), [3, 2], [3, 2])
}

#[test]
fn what_is_private_stays_private_and_gives_no_warning() -> Result<(), InitError> {
    runs::<Private>(&PrivateConfig::new(5), [3, 2], [3, 2])?;
    assert_eq!(PrivateRule::new(), PrivateRule::new().with_rate(0.9));
    assert_eq!(PrivateRate::new(), PrivateRate::new().with_base(0.1));
    Ok(())
}

#[test]
fn everything_may_be_declared_in_a_function() -> Result<(), InitError> {
    kiln::model! {
        struct Local { width: usize = 4, share: f64 = 0.5 }
        input x: [2];
        let y = x -> linear(width) -> dropout(share) -> repeat 2 { linear(width) } -> linear(2);
        output y;
        loss mse;
    }
    kiln::optimizer! {
        struct Rule;
        update adam();
    }
    kiln::schedule! {
        struct Rate;
        peak 0.1;
        cosine;
    }
    runs::<Local>(&LocalConfig::new().with_width(3), [1, 2], [1, 2])?;
    assert_eq!(
        (Rule::new(), Rate::new()),
        (Rule::default(), Rate::default())
    );
    Ok(())
}
