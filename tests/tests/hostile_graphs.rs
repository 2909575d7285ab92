//! Graphs and derived networks in crates that are strict, that have their own idea of every common
//! name, and that see no prelude: as `hostile.rs`, for what a declaration may be beyond a chain.

#![deny(
    warnings,
    missing_docs,
    unused,
    nonstandard_style,
    future_incompatible,
    rust_2018_idioms,
    unreachable_pub,
    unused_qualifications,
    trivial_casts,
    trivial_numeric_casts,
    single_use_lifetimes,
    clippy::all,
    clippy::pedantic
)]
// What is forbidden no `#[allow(..)]` may lift again, an expansion's neither.
#![forbid(
    unsafe_code,
    non_ascii_idents,
    non_snake_case,
    path_statements,
    redundant_semicolons,
    unreachable_code,
    unreachable_patterns,
    unused_assignments,
    unused_braces,
    unused_imports,
    unused_must_use,
    unused_mut,
    unused_parens,
    unused_unsafe,
    unused_variables
)]

use kiln::burn;
use kiln::model::{InitError, Size};
use kiln::prelude::{Config, Device, Int, Model, Module, Tensor, default_device};

/// Doubles every number.
#[derive(Module, Debug)]
pub struct Doubled {
    factor: f64,
}

/// How it doubles.
#[derive(Config, Debug)]
pub struct DoubledConfig {
    factor: f64,
    #[config(default = 1)]
    times: usize,
}

impl kiln::layer::Layer for Doubled {
    type Config = DoubledConfig;
    type Input = Tensor<3>;
    type Output = Tensor<3>;

    fn build(config: &DoubledConfig, _input: &[Size], _device: &Device) -> Self {
        let factor = (0..config.times).map(|_| config.factor).product();
        Doubled { factor }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        input * self.factor
    }
}

/// Everything that a graph may hold.
macro_rules! graphs {
    ($vis:vis $name:ident, $block:ident, $sum:ident, $derived:ident, $path:path) => {
        ::kiln::model! {
            /// Nested in the other.
            $vis struct $block { width: usize, drop: f64 = 0.1 }
            input x: [any length, width];
            let y = x -> residual { linear(width) -> dropout(drop) };
            output y;
        }

        ::kiln::model! {
            /// Several inputs and outputs, of integers and of any length.
            $vis struct $name {
                /// How often.
                depth: usize = 3,
                width: usize = 4,
                drop: f64 = 0.1,
                r#type: usize = 2,
            }
            input tokens: int [any length];
            input observer: [length, width];
            input config: [length, 3];
            input fields: [any r#else, width];
            input self_: [1, width];
            let x = tokens -> embedding(7, width) -> problems: layer_norm;
            let device = (x + observer * self_ -> relu) + (observer -> problems -> problems);
            let input = concat(device, config, dim: 1)
                -> r#fn: { linear(width) -> gelu -> v0: linear(width) };
            let value = input
                -> repeat depth { residual { first: linear(width) -> first } -> relu }
                -> stage: repeat index in 0..depth {
                    residual(project: linear(r#type * width)) {
                        linear(r#type * width) -> dropout(drop * index / depth)
                    }
                };
            let summary = value
                -> repeat n in 0..3 {
                    layer[n + 1]: repeat i in 0..[1, 2, 1][n] {
                        residual(shortcut: down: linear([4, 8, 6][n])) {
                            linear([4, 8, 6][n]) -> linear(if i == 0 { [4, 8, 6][n] } else { 8 })
                        }
                    }
                };
            let nodes: [length, width] = summary
                -> linear(width)
                -> $path(2.0, times: r#type)
                -> block: $block(width, drop: drop)
                -> repeat 2 { $block(width) -> $path(0.5) as [length, width] };
            let text = nodes -> multi_head_attention(2, memory: fields);
            let output = text -> mean(dim: 0) -> linear(r#type);
            output output, nodes, text;
            loss cross_entropy(output, label_smoothing: drop) + 0.5 * mse(nodes);
        }

        ::kiln::model! {
            /// A block without a loss.
            $vis struct $sum;
            input left: [2];
            input right: [2];
            let y = left + right;
            output y;
        }

        /// The same as a struct.
        #[derive(::kiln::prelude::Model, ::core::fmt::Debug)]
        #[model(input = [any length, 4], loss = mse)]
        $vis struct $derived {
            #[layer(linear(4))]
            r#in: ::kiln::layer::Linear,
            #[layer(relu)]
            observer: ::kiln::layer::Relu,
            #[layer($block(4))]
            block: $block,
            /// Seen by everybody.
            #[layer($path(2.0, times: 2))]
            $vis own: $path,
        }
    };
}

/// Every name that an expansion might look up, as something else.
pub mod shadowed {
    #![allow(dead_code, missing_docs, non_camel_case_types, unused_macros)]

    macro_rules! nothing {
        ($($name:ident)*) => { $(pub struct $name;)* };
    }
    nothing! {
        Result Option Vec String Some None Ok Err Box Tensor Device Param Batch Summary Content
        Devices ModuleVisitor ModuleMapper Observe Clone Debug Default Display Iterator Into From
        Fn FnMut Add Mul Drop Send Sync Sized Module Config Layer Model Size Node Rest Linear Relu
        Range Int ToString ToOwned IntoIterator Extend AsRef Copy Serialize Deserialize
        usize f64 f32 bool i128 i64 u64 str char
    }
    pub mod core {}
    pub mod std {}
    pub mod alloc {}
    pub mod burn {}
    pub mod kiln {}
    pub mod serde {}
    macro_rules! shadow {
        ($($name:ident)*) => { $(macro_rules! $name { () => {}; })* };
    }
    shadow! { vec format unreachable concat stringify assert matches panic write }
    graphs!(pub Graph, Block, Sum, Derived, super::Doubled);
}

/// Nothing is in scope but what the language itself knows.
#[no_implicit_prelude]
mod bare {
    graphs!(pub(crate) Graph, Block, Sum, Derived, super::Doubled);
}

/// Called like what an expansion is made of.
mod namesakes {
    graphs!(pub(super) Module, Config, Tensor, Layer, crate::Doubled);
}

graphs!(Graph, Block, Sum, Derived, Doubled);

fn device() -> Device {
    default_device().unwrap_or_default()
}

macro_rules! runs {
    ($scope:ident: $name:ident $config:ident $sum:ident $derived:ident $derived_config:ident) => {{
        let device = device();
        let model = $scope::$config::new().init(&device)?;
        let zeros = |shape: [usize; 3]| Tensor::<3>::zeros(shape, &device);
        let tokens = Tensor::<2, Int>::zeros([2, 5], &device);
        let inputs = [[2, 5, 4], [2, 5, 3], [2, 7, 4], [2, 1, 4]].map(zeros);
        let [observer, config, fields, own] = inputs;
        let (scores, nodes, text) = model.forward(tokens, observer, config, fields, own);
        assert_eq!(scores.dims(), [2, 2]);
        assert_eq!((nodes.dims(), text.dims()), ([2, 5, 4], [2, 5, 4]));
        assert_eq!(Module::num_params(&model), model.summary().params());
        assert!(model.to_string().contains(stringify!($name)));
        let derived = $scope::$derived_config::new().init(&device)?;
        assert_eq!(derived.forward(zeros([2, 5, 4])).dims(), [2, 5, 4]);
        assert!(derived.to_string().contains(stringify!($derived)));
        let sum = $scope::$sum::new().init(&device)?;
        let [left, right] = [[2, 2]; 2].map(|shape| Tensor::<2>::zeros(shape, &device));
        assert_eq!(sum.forward(left, right).dims(), [2, 2]);
    }};
}

#[test]
fn graphs_compile_whatever_is_in_scope() -> Result<(), InitError> {
    runs!(shadowed: Graph GraphConfig SumConfig Derived DerivedConfig);
    runs!(bare: Graph GraphConfig SumConfig Derived DerivedConfig);
    runs!(namesakes: Module ModuleConfig TensorConfig Layer LayerConfig);
    runs!(self: Graph GraphConfig SumConfig Derived DerivedConfig);
    Ok(())
}
