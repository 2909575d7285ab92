//! Activations: functions of each number, so that the shape stays.
//!
//! Burn has all of them; here are those whose numbers or gradients it gives otherwise than PyTorch.

mod bounded;
mod exponential;
mod gelu;
mod leaky;
mod softmax;

use burn::tensor::Tensor;

use crate::kernel;
use crate::tangent::{Dual, Pass, Tangent};

pub use bounded::{Hardsigmoid, Hardswish, Hardtanh, HardtanhConfig, Relu6};
pub use exponential::{Celu, CeluConfig, Elu, EluConfig, Selu};
pub(super) use exponential::{SELU_ALPHA, SELU_SCALE};
pub use gelu::GeluTanh;
pub use leaky::{LeakyRelu, LeakyReluConfig, PRelu, PReluConfig};
pub use softmax::{LogSoftmax, Softmin};

/// `max(x, 0)` for each element, computed by [`kernel::relu`]; the shape stays.
#[derive(burn::module::Module, Debug, Default)]
pub struct Relu {}

impl Relu {
    /// The layer; it has no settings.
    pub fn new() -> Self {
        Relu {}
    }

    /// `max(x, 0)` for each element.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        kernel::relu(input)
    }
}

/// `y' = [x > 0] x'`
impl<const D: usize> Tangent<Dual<D>, Dual<D>> for Relu {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        input.relu()
    }
}

/// Makes a layer without parameters that keeps the shape, and its configuration where it has settings.
/// `$output` is written over [`Dual`]s, which are plain values in `forward`.
macro_rules! activation {
    ($(#[$doc:meta])* $name:ident |$input:ident| $output:expr) => {
        $(#[$doc])*
        #[derive(burn::module::Module, Debug, Default)]
        pub struct $name {}

        impl $name {
            /// The layer; it has no settings.
            pub fn new() -> Self {
                $name {}
            }

            /// `[batch, ..]`; the shape stays.
            pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
                value_of(self, input)
            }
        }

        impl<const D: usize> Tangent<Dual<D>, Dual<D>> for $name {
            fn forward_dual(&self, _: Option<&Self>, $input: Dual<D>, _: &mut Pass) -> Dual<D> {
                $output
            }
        }
    };
    (
        $(#[$doc:meta])*
        $name:ident, $config:ident { $($(#[$about:meta])* $setting:ident = $default:literal,)* }
        |$layer:ident, $input:ident| $output:expr
    ) => {
        $(#[$doc])*
        #[derive(burn::module::Module, Debug)]
        pub struct $name {
            $($(#[$about])* pub $setting: f64,)*
        }

        #[doc = concat!("The settings of [`", stringify!($name), "`], with PyTorch's defaults.")]
        #[derive(burn::config::Config, Debug)]
        pub struct $config {
            $($(#[$about])* #[config(default = $default)] pub $setting: f64,)*
        }

        impl $config {
            /// The layer.
            pub fn init(&self) -> $name {
                $name { $($setting: self.$setting,)* }
            }
        }

        impl $name {
            /// `[batch, ..]`; the shape stays.
            pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
                value_of(self, input)
            }
        }

        impl<const D: usize> Tangent<Dual<D>, Dual<D>> for $name {
            fn forward_dual(&self, _: Option<&Self>, $input: Dual<D>, _: &mut Pass) -> Dual<D> {
                let $layer = self;
                $output
            }
        }
    };
}
use activation;
