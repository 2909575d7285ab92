//! What goes into networks and comes out of them: tensors and tuples of tensors.

use burn::tensor::{Gradients, Int, Tensor};

use super::{Dual, Scale, sum};

/// Tensors that can carry a derivative: themselves, or several in a tuple. Integers carry none.
pub trait Lift: Clone + Send + 'static {
    /// With the derivatives: a [`Dual`] for a tensor, the tensor itself for integers.
    type Dual: Clone + 'static;

    /// Values that do not change along the direction.
    fn lift(self) -> Self::Dual;

    /// The values alone.
    fn values(dual: &Self::Dual) -> Self;

    /// The values, moved by `by` times their derivative; where `by` is none, without a history.
    #[doc(hidden)]
    fn moved(dual: &Self::Dual, by: f64) -> Self;

    /// How large values and derivatives are.
    #[doc(hidden)]
    fn scale(dual: &Self::Dual) -> Scale;

    /// `values` with the derivative `(plus - minus) · factor`.
    #[doc(hidden)]
    fn between(values: Self, plus: Self, minus: Self, factor: f64) -> Self::Dual;
}

impl<const D: usize> Lift for Tensor<D> {
    type Dual = Dual<D>;

    fn lift(self) -> Dual<D> {
        Dual::constant(self)
    }

    fn values(dual: &Dual<D>) -> Self {
        dual.value.clone()
    }

    fn moved(dual: &Dual<D>, by: f64) -> Self {
        let value = dual.value.clone();
        match &dual.tangent {
            Some(tangent) => value + tangent.clone() * by,
            None => value,
        }
    }

    fn scale(dual: &Dual<D>) -> Scale {
        Scale::of_batch(&dual.value, dual.tangent.as_ref())
    }

    fn between(values: Self, plus: Self, minus: Self, factor: f64) -> Dual<D> {
        Dual::new(values, (plus - minus) * factor)
    }
}

impl<const D: usize> Lift for Tensor<D, Int> {
    type Dual = Tensor<D, Int>;

    fn lift(self) -> Self {
        self
    }

    fn values(dual: &Self) -> Self {
        dual.clone()
    }

    fn moved(dual: &Self, _by: f64) -> Self {
        dual.clone()
    }

    fn scale(_dual: &Self) -> Scale {
        Scale::default()
    }

    fn between(values: Self, _plus: Self, _minus: Self, _factor: f64) -> Self {
        values
    }
}

/// What a network gives: one tensor or several, whose first dimension is the batch.
///
/// With `z` for them, these are the steps between a loss and the parameters.
pub trait Values: Lift {
    /// The same numbers, differentiated from here on.
    fn leaf(dual: &Self::Dual) -> Self::Dual;

    /// For each example the sum over its numbers of `g · z'`, with the gradient `g` by the
    /// [`leaf`](Self::leaf) `z`: `[batch]`, or nothing where one of them is zero.
    fn slopes(leaf: &Self::Dual, gradients: &Gradients) -> Option<Tensor<1>>;

    /// The sum of `g · z` over all numbers, each example times its weight, with `g` as a constant:
    /// what is differentiated for the product of `g` with the Jacobian of `z`.
    fn pull(
        dual: &Self::Dual,
        leaf: &Self::Dual,
        gradients: &Gradients,
        weights: Option<&Tensor<1>>,
    ) -> Option<Tensor<1>>;
}

impl<const D: usize> Values for Tensor<D> {
    fn leaf(dual: &Dual<D>) -> Dual<D> {
        Dual {
            value: dual.value.clone().detach().require_grad(),
            tangent: dual.tangent.clone().map(Tensor::detach),
        }
    }

    fn slopes(leaf: &Dual<D>, gradients: &Gradients) -> Option<Tensor<1>> {
        let (tangent, gradient) = (leaf.tangent.as_ref()?, leaf.value.grad(gradients)?);
        let products = gradient * tangent.clone().inner();
        let examples = products.dims()[0];
        let products = products.reshape([examples as i32, -1]);
        Some(products.sum_dim(1).squeeze_dim(1))
    }

    fn pull(
        dual: &Dual<D>,
        leaf: &Dual<D>,
        gradients: &Gradients,
        weights: Option<&Tensor<1>>,
    ) -> Option<Tensor<1>> {
        let mut gradient = leaf.value.grad(gradients)?;
        if let Some(weights) = weights {
            let mut each = [1; D];
            each[0] = weights.dims()[0];
            gradient = gradient * weights.clone().reshape(each);
        }
        Some((dual.value.clone() * Tensor::from_inner(gradient)).sum())
    }
}

/// Several tensors.
macro_rules! tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Lift),+> Lift for ($($name,)+) {
            type Dual = ($($name::Dual,)+);

            fn lift(self) -> Self::Dual {
                ($(self.$index.lift(),)+)
            }

            fn values(dual: &Self::Dual) -> Self {
                ($($name::values(&dual.$index),)+)
            }

            fn moved(dual: &Self::Dual, by: f64) -> Self {
                ($($name::moved(&dual.$index, by),)+)
            }

            fn scale(dual: &Self::Dual) -> Scale {
                Scale::default()$(.and($name::scale(&dual.$index)))+
            }

            fn between(values: Self, plus: Self, minus: Self, factor: f64) -> Self::Dual {
                ($($name::between(values.$index, plus.$index, minus.$index, factor),)+)
            }
        }

        impl<$($name: Values),+> Values for ($($name,)+) {
            fn leaf(dual: &Self::Dual) -> Self::Dual {
                ($($name::leaf(&dual.$index),)+)
            }

            fn slopes(leaf: &Self::Dual, gradients: &Gradients) -> Option<Tensor<1>> {
                let mut slopes = None;
                $(slopes = sum(slopes, $name::slopes(&leaf.$index, gradients));)+
                slopes
            }

            fn pull(
                dual: &Self::Dual,
                leaf: &Self::Dual,
                gradients: &Gradients,
                weights: Option<&Tensor<1>>,
            ) -> Option<Tensor<1>> {
                let mut pulled = None;
                $(pulled = sum(pulled, $name::pull(&dual.$index, &leaf.$index, gradients, weights));)+
                pulled
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, E 3);
tuple!(A 0, B 1, C 2, E 3, F 4);
tuple!(A 0, B 1, C 2, E 3, F 4, G 5);
tuple!(A 0, B 1, C 2, E 3, F 4, G 5, H 6);
tuple!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7);
tuple!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7, J 8);
tuple!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7, J 8, K 9);
tuple!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7, J 8, K 9, L 10);
tuple!(A 0, B 1, C 2, E 3, F 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11);
