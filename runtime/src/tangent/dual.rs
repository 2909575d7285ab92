//! A value with its derivative along a direction.

use burn::module::Param;
use burn::tensor::{Bool, Int, Tensor};

/// A tensor and its derivative along a direction in parameter space, of the same shape.
///
/// Written with ordinary tensors, so a `Dual` can be differentiated once more: the gradient of a
/// loss's tangent is a Hessian-vector product. Every operation here follows its rule of
/// differentiation exactly.
///
/// ```
/// use kiln::Tensor;
/// use kiln::tangent::Dual;
///
/// let device = kiln::device::default_device()?;
/// let x = Dual::new(
///     Tensor::<1>::from_floats([3.0], &device),
///     Tensor::from_floats([1.0], &device),
/// );
/// let y = x.clone() * x + 1.0; // x² + 1, whose derivative is 2x
/// assert_eq!(y.value.into_scalar::<f32>(), 10.0);
/// assert_eq!(y.tangent.unwrap().into_scalar::<f32>(), 6.0);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Dual<const D: usize> {
    /// The value.
    pub value: Tensor<D>,
    /// Its derivative along the direction; `None` stands for zeros, which cost nothing.
    pub tangent: Option<Tensor<D>>,
}

impl<const D: usize> Dual<D> {
    /// A value with a derivative of the same shape.
    pub fn new(value: Tensor<D>, tangent: Tensor<D>) -> Self {
        Dual {
            value,
            tangent: Some(tangent),
        }
    }

    /// A value that does not change along the direction, such as data.
    pub fn constant(value: Tensor<D>) -> Self {
        Dual {
            value,
            tangent: None,
        }
    }

    /// A parameter, which changes by the `direction`'s parameter of the same place.
    pub fn parameter(parameter: &Param<Tensor<D>>, direction: Option<&Param<Tensor<D>>>) -> Self {
        Dual {
            value: parameter.val(),
            tangent: direction.map(|direction| direction.val()),
        }
    }

    /// The sizes of the dimensions.
    pub fn dims(&self) -> [usize; D] {
        self.value.dims()
    }

    /// What a linear map gives, which maps the derivative as it maps the value: a reshape, a sum, a
    /// mean, padding.
    pub fn linear<const E: usize>(self, map: impl Fn(Tensor<D>) -> Tensor<E>) -> Dual<E> {
        Dual {
            value: map(self.value),
            tangent: self.tangent.map(map),
        }
    }

    /// What a function of each element gives. `slope` is its derivative, of the input and what came
    /// of it.
    pub fn pointwise(
        self,
        function: impl FnOnce(Tensor<D>) -> Tensor<D>,
        slope: impl FnOnce(Tensor<D>, Tensor<D>) -> Tensor<D>,
    ) -> Self {
        let Some(tangent) = self.tangent else {
            return Dual::constant(function(self.value));
        };
        let value = function(self.value.clone());
        let slope = slope(self.value, value.clone());
        Dual::new(value, tangent * slope)
    }

    /// The matrix product of the last two dimensions.
    pub fn matmul(self, other: Self) -> Self {
        self.bilinear(other, Tensor::matmul)
    }

    /// What a function that is linear in each of two values gives.
    pub fn bilinear<const E: usize, const F: usize>(
        self,
        other: Dual<E>,
        product: impl Fn(Tensor<D>, Tensor<E>) -> Tensor<F>,
    ) -> Dual<F> {
        let left = self
            .tangent
            .map(|tangent| product(tangent, other.value.clone()));
        let right = other
            .tangent
            .map(|tangent| product(self.value.clone(), tangent));
        Dual {
            value: product(self.value, other.value),
            tangent: sum(left, right),
        }
    }

    /// Those elements become `value` where `mask` is true.
    pub fn mask_fill(self, mask: Tensor<D, Bool>, value: f64) -> Self {
        Dual {
            tangent: self
                .tangent
                .map(|tangent| tangent.mask_fill(mask.clone(), 0.0)),
            value: self.value.mask_fill(mask, value),
        }
    }

    /// Those elements become those of `other` where `mask` is true.
    pub fn mask_where(self, mask: Tensor<D, Bool>, other: Self) -> Self {
        let tangent = match (self.tangent, other.tangent) {
            (None, None) => None,
            (left, right) => {
                let left = left.unwrap_or_else(|| self.value.zeros_like());
                let right = right.unwrap_or_else(|| other.value.zeros_like());
                Some(left.mask_where(mask.clone(), right))
            }
        };
        Dual {
            value: self.value.mask_where(mask, other.value),
            tangent,
        }
    }

    /// What is below `least` becomes it, and no longer changes.
    pub fn clamp_min(self, least: f64) -> Self {
        match &self.tangent {
            None => self.linear(|x| x.clamp_min(least)),
            Some(_) => {
                let below = self.value.clone().lower_scalar(least);
                self.mask_fill(below, least)
            }
        }
    }

    /// What is above `most` becomes it, and no longer changes.
    pub fn clamp_max(self, most: f64) -> Self {
        match &self.tangent {
            None => self.linear(|x| x.clamp_max(most)),
            Some(_) => {
                let above = self.value.clone().greater_scalar(most);
                self.mask_fill(above, most)
            }
        }
    }

    /// The largest along a dimension, which becomes 1; of several alike the first.
    pub fn max_dim(self, dim: usize) -> Self {
        let Some(tangent) = self.tangent else {
            return Dual::constant(self.value.max_dim(dim));
        };
        let (value, indices) = self.value.max_dim_with_indices(dim);
        Dual::new(value, tangent.gather(dim, indices))
    }

    /// The elements at `indices` along a dimension.
    pub fn gather(self, dim: usize, indices: Tensor<D, Int>) -> Self {
        self.linear(|x| x.gather(dim, indices.clone()))
    }

    /// The sum along a dimension, which becomes 1.
    pub fn sum_dim(self, dim: usize) -> Self {
        self.linear(|x| x.sum_dim(dim))
    }

    /// The mean along a dimension, which becomes 1.
    pub fn mean_dim(self, dim: usize) -> Self {
        self.linear(|x| x.mean_dim(dim))
    }

    /// The sum of all elements.
    pub fn sum(self) -> Dual<1> {
        self.linear(Tensor::sum)
    }

    /// The mean of all elements.
    pub fn mean(self) -> Dual<1> {
        self.linear(Tensor::mean)
    }

    /// The same elements in another shape.
    pub fn reshape<const E: usize>(self, shape: [usize; E]) -> Dual<E> {
        self.linear(|x| x.reshape(shape))
    }

    /// `length` elements of a dimension from `start` on.
    pub fn narrow(self, dim: usize, start: usize, length: usize) -> Self {
        self.linear(|x| x.narrow(dim, start, length))
    }

    /// Values behind each other along a dimension.
    pub fn cat(parts: Vec<Self>, dim: usize) -> Self {
        Dual::join(parts, |parts| Tensor::cat(parts, dim))
    }

    /// Values behind each other along a new dimension; `E` is one more than `D`.
    pub fn stack<const E: usize>(parts: Vec<Self>, dim: usize) -> Dual<E> {
        Dual::join(parts, |parts| Tensor::stack(parts, dim))
    }

    fn join<const E: usize>(
        parts: Vec<Self>,
        join: impl Fn(Vec<Tensor<D>>) -> Tensor<E>,
    ) -> Dual<E> {
        let moves = parts.iter().any(|part| part.tangent.is_some());
        let tangent = moves.then(|| {
            let tangents = parts.iter().map(|part| {
                let zeros = || part.value.zeros_like();
                part.tangent.clone().unwrap_or_else(zeros)
            });
            join(tangents.collect())
        });
        let values = parts.into_iter().map(|part| part.value);
        Dual {
            value: join(values.collect()),
            tangent,
        }
    }

    /// The sum, spread where one of the two is of size 1.
    #[allow(clippy::should_implement_trait)]
    pub fn add(self, other: Self) -> Self {
        let value = self.value + other.value;
        let tangent = match (self.tangent, other.tangent) {
            (Some(left), Some(right)) => Some(left + right),
            (left, right) => left.or(right).map(|one| one.expand(value.dims())),
        };
        Dual { value, tangent }
    }

    /// The difference, spread where one of the two is of size 1.
    #[allow(clippy::should_implement_trait)]
    pub fn sub(self, other: Self) -> Self {
        let value = self.value - other.value;
        let tangent = match (self.tangent, other.tangent) {
            (Some(left), Some(right)) => Some(left - right),
            (left, right) => left
                .or(right.map(|right| -right))
                .map(|one| one.expand(value.dims())),
        };
        Dual { value, tangent }
    }

    /// The product of each element with the one at the same place, spread where one of the two is of
    /// size 1.
    #[allow(clippy::should_implement_trait)]
    pub fn mul(self, other: Self) -> Self {
        self.bilinear(other, |left, right| left * right)
    }

    /// Each element divided by the one at the same place, spread where one of the two is of size 1.
    #[allow(clippy::should_implement_trait)]
    pub fn div(self, other: Self) -> Self {
        let value = self.value / other.value.clone();
        let left = self.tangent.map(|tangent| tangent / other.value.clone());
        let right = other
            .tangent
            .map(|tangent| -(value.clone() * (tangent / other.value)));
        Dual {
            value,
            tangent: sum(left, right),
        }
    }
}

/// The sum of what there is.
pub(crate) fn sum<const D: usize>(
    left: Option<Tensor<D>>,
    right: Option<Tensor<D>>,
) -> Option<Tensor<D>> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left + right),
        (left, right) => left.or(right),
    }
}
