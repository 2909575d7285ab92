//! A value with its derivative along a direction.

use std::ops::{Add, Div, Mul, Neg, Sub};

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
        let below = self.value.clone().lower_scalar(least);
        self.mask_fill(below, least)
    }

    /// What is above `most` becomes it, and no longer changes.
    pub fn clamp_max(self, most: f64) -> Self {
        let above = self.value.clone().greater_scalar(most);
        self.mask_fill(above, most)
    }

    /// The largest along a dimension, which becomes 1; of several alike the first.
    pub fn max_dim(self, dim: usize) -> Self {
        let (value, indices) = self.value.max_dim_with_indices(dim);
        Dual {
            value,
            tangent: self.tangent.map(|tangent| tangent.gather(dim, indices)),
        }
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
        let moves = parts.iter().any(|part| part.tangent.is_some());
        let tangent = moves.then(|| {
            let tangents = parts.iter().map(|part| {
                let zeros = || part.value.zeros_like();
                part.tangent.clone().unwrap_or_else(zeros)
            });
            Tensor::cat(tangents.collect(), dim)
        });
        let values = parts.into_iter().map(|part| part.value);
        Dual {
            value: Tensor::cat(values.collect(), dim),
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

    /// The product of each element with the one at the same place, spread where one of the two is of
    /// size 1.
    #[allow(clippy::should_implement_trait)]
    pub fn mul(self, other: Self) -> Self {
        self.bilinear(other, |left, right| left * right)
    }

    /// Each element times a number.
    pub fn mul_scalar(self, factor: f64) -> Self {
        self.linear(|x| x.mul_scalar(factor))
    }

    /// Each element plus a number.
    pub fn add_scalar(self, term: f64) -> Self {
        Dual {
            value: self.value.add_scalar(term),
            tangent: self.tangent,
        }
    }

    /// `1 / x`.
    pub fn recip(self) -> Self {
        self.pointwise(Tensor::recip, |_, y| -y.square())
    }

    /// `x²`.
    pub fn square(self) -> Self {
        self.pointwise(|x| x.square(), |x, _| x * 2.0)
    }

    /// `√x`.
    pub fn sqrt(self) -> Self {
        self.pointwise(Tensor::sqrt, |_, y| y.recip() * 0.5)
    }

    /// `x^p`.
    pub fn powf_scalar(self, p: f64) -> Self {
        self.pointwise(|x| x.powf_scalar(p), |x, _| x.powf_scalar(p - 1.0) * p)
    }

    /// `e^x`.
    pub fn exp(self) -> Self {
        self.pointwise(Tensor::exp, |_, y| y)
    }

    /// The natural logarithm.
    pub fn log(self) -> Self {
        self.pointwise(Tensor::log, |x, _| x.recip())
    }

    /// The hyperbolic tangent.
    pub fn tanh(self) -> Self {
        self.pointwise(Tensor::tanh, |_, y| -y.square() + 1.0)
    }

    /// `1 / (1 + e^-x)`.
    pub fn sigmoid(self) -> Self {
        self.pointwise(burn::tensor::activation::sigmoid, |_, y| {
            y.clone() * (-y + 1.0)
        })
    }

    /// `|x|`, which changes by 0 where it is 0.
    pub fn abs(self) -> Self {
        self.pointwise(Tensor::abs, |x, _| x.detach().sign())
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

impl<const D: usize> Neg for Dual<D> {
    type Output = Self;

    fn neg(self) -> Self {
        self.linear(|x| -x)
    }
}

impl<const D: usize> Add for Dual<D> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Dual::add(self, other)
    }
}

impl<const D: usize> Sub for Dual<D> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Dual::add(self, -other)
    }
}

impl<const D: usize> Mul for Dual<D> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Dual::mul(self, other)
    }
}

impl<const D: usize> Div for Dual<D> {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        Dual::mul(self, other.recip())
    }
}

impl<const D: usize> Add<f64> for Dual<D> {
    type Output = Self;

    fn add(self, term: f64) -> Self {
        self.add_scalar(term)
    }
}

impl<const D: usize> Sub<f64> for Dual<D> {
    type Output = Self;

    fn sub(self, term: f64) -> Self {
        self.add_scalar(-term)
    }
}

impl<const D: usize> Mul<f64> for Dual<D> {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        self.mul_scalar(factor)
    }
}

impl<const D: usize> Div<f64> for Dual<D> {
    type Output = Self;

    fn div(self, divisor: f64) -> Self {
        self.mul_scalar(1.0 / divisor)
    }
}
