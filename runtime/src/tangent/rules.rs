//! Rules that many layers have.

use burn::tensor::Tensor;

use super::{Dual, Pass, Tangent};

/// The `forward` of a layer whose formula is its rule: on a value that does not change.
pub(crate) fn value_of<L, const D: usize, const E: usize>(layer: &L, input: Tensor<D>) -> Tensor<E>
where
    L: Tangent<Dual<D>, Dual<E>>,
{
    let pass = &mut Pass::of_forward();
    layer.forward_dual(None, Dual::constant(input), pass).value
}

/// Layers that are linear in their input and have no parameters: the derivative goes through as the
/// value does.
macro_rules! linear_layers {
    ($($layer:ty: $from:tt -> $to:tt $([$($ranks:tt)*])?),* $(,)?) => { $(
        impl $(<$($ranks)*>)? $crate::tangent::Tangent<$crate::tangent::Dual<$from>, $crate::tangent::Dual<$to>> for $layer {
            fn forward_dual(
                &self,
                _: Option<&Self>,
                input: $crate::tangent::Dual<$from>,
                _: &mut $crate::tangent::Pass,
            ) -> $crate::tangent::Dual<$to> {
                input.linear(|x| self.forward(x))
            }
        }
    )* };
}

/// Layers that do nothing but in training.
macro_rules! idle_layers {
    ($($layer:ty),* $(,)?) => { $(
        impl<const D: usize> $crate::tangent::Tangent<$crate::tangent::Dual<D>, $crate::tangent::Dual<D>> for $layer {
            fn forward_dual(
                &self,
                _: Option<&Self>,
                input: $crate::tangent::Dual<D>,
                _: &mut $crate::tangent::Pass,
            ) -> $crate::tangent::Dual<D> {
                input
            }
        }
    )* };
}

/// Runs a part of a layer along the direction's part of the same name.
macro_rules! part {
    ($layer:ident.$part:ident, $along:expr, $input:expr, $pass:expr) => {
        $layer
            .$part
            .forward_dual($along.map(|along| &along.$part), $input, $pass)
    };
}

pub(crate) use {idle_layers, linear_layers, part};
