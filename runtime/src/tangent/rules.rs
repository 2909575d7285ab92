//! Rules that many layers have.

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

pub(crate) use {idle_layers, linear_layers};
