//! Functions of a value with its derivative, and the signs of arithmetic.

use std::ops::{Add, Div, Mul, Neg, Sub};

use burn::tensor::{DType, Tensor, activation};

use super::Dual;
use crate::kernel;

impl<const D: usize> Dual<D> {
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

    /// `|x|`, which changes by 0 where it is 0.
    pub fn abs(self) -> Self {
        self.pointwise(Tensor::abs, |x, _| x.detach().sign())
    }

    /// The hyperbolic tangent.
    pub fn tanh(self) -> Self {
        self.pointwise(Tensor::tanh, |_, y| -y.square() + 1.0)
    }

    /// `1 / (1 + e^-x)`.
    pub fn sigmoid(self) -> Self {
        self.pointwise(sigmoid, |_, y| y.clone() * (-y + 1.0))
    }

    /// `log(1 / (1 + e^-x))`.
    pub fn log_sigmoid(self) -> Self {
        self.pointwise(activation::log_sigmoid, |x, _| sigmoid(-x))
    }

    /// `log(1 + e^x)`.
    pub fn softplus(self) -> Self {
        self.pointwise(|x| activation::softplus(x, 1.0), |x, _| sigmoid(x))
    }

    /// `max(x, 0)`, which changes by 0 where it is 0.
    pub fn relu(self) -> Self {
        let value = kernel::relu(self.value);
        let along = |tangent| kernel::relu_tangent(value.clone().detach(), tangent);
        let tangent = self.tangent.map(along);
        Dual { value, tangent }
    }

    /// `exp(x_i) / sum_j exp(x_j)` over the last dimension.
    pub fn softmax(self) -> Self {
        let value = kernel::softmax(self.value);
        let tangent = self.tangent.map(|tangent| {
            let mean = (value.clone() * tangent.clone()).sum_dim(D - 1);
            value.clone() * (tangent - mean)
        });
        Dual { value, tangent }
    }

    /// `x_i - log sum_j exp(x_j)` over the last dimension.
    pub fn log_softmax(self) -> Self {
        let value = activation::log_softmax(self.value, D - 1);
        let tangent = self.tangent.map(|tangent| {
            let mean = (value.clone().exp() * tangent.clone()).sum_dim(D - 1);
            tangent - mean
        });
        Dual { value, tangent }
    }

    /// `(x - mean) / √(variance + epsilon)` with mean and variance, Σ(x − x̄)²/n, over the last dimension.
    pub(crate) fn normal(self, epsilon: f64) -> Self {
        let ones = Tensor::ones(
            [self.dims()[D - 1]],
            (&self.value.device(), self.value.dtype()),
        );
        let value = kernel::layer_norm(self.value.clone(), ones, None, epsilon);
        let tangent = self.tangent.map(|tangent| {
            let mean = |x: Tensor<D>| x.mean_dim(D - 1);
            let deviation = self.value.clone() - mean(self.value);
            let scale = (mean(deviation.square()) + epsilon).sqrt().recip();
            let along = value.clone() * mean(value.clone() * tangent.clone());
            (tangent.clone() - mean(tangent) - along) * scale
        });
        Dual { value, tangent }
    }
}

/// `1 / (1 + e^-x)`. On most devices Burn's is computed in single precision, whatever that of the
/// input is.
pub(crate) fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.dtype() == DType::F64 {
        return ((x * 0.5).tanh() + 1.0) * 0.5;
    }
    activation::sigmoid(x)
}

impl<const D: usize> Neg for Dual<D> {
    type Output = Self;

    fn neg(self) -> Self {
        self.linear(|x| -x)
    }
}

/// An operation between two values, and between a value and a number.
macro_rules! operator {
    ($operator:ident $method:ident |$x:ident, $number:ident| $by_number:expr) => {
        impl<const D: usize> $operator for Dual<D> {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                Dual::$method(self, other)
            }
        }

        impl<const D: usize> $operator<f64> for Dual<D> {
            type Output = Self;

            fn $method(self, $number: f64) -> Self {
                let $x = self;
                $by_number
            }
        }
    };
}

operator!(Add add |x, term| x.add_scalar(term));
operator!(Sub sub |x, term| x.add_scalar(-term));
operator!(Mul mul |x, factor| x.mul_scalar(factor));
operator!(Div div |x, divisor| x.linear(|x| x / divisor));
