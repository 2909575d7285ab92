//! Linear systems by the method of conjugate gradients.

use burn::tensor::Tensor;

use crate::flatness::spectrum::{dot, epsilon, precision};
use crate::flatness::{FlatnessError, Operator};

/// What [`solve`] found.
pub(super) struct Solution {
    pub direction: Tensor<1>,
    /// `g · p`.
    pub slope: f64,
    /// `p · Bp`.
    pub curvature: f64,
    pub products: usize,
    /// Whether a direction was met along which the matrix curves downwards.
    pub negative_curvature: bool,
    /// Whether `p` is `-g`.
    pub steepest: bool,
    /// What `p · Bp` may be off by, for a `p` of length one.
    pub rounding: f64,
}

/// `(B + λI) p = -g` by conjugate gradients (Hestenes and Stiefel 1952), from `p = 0` until the norm
/// of the residual is `within`, a direction of no or negative curvature is met, after so many
/// products, or when `go` says so. Where the very first direction is one of these, `p = -g`.
pub(super) fn solve<O: Operator + ?Sized>(
    matrix: &O,
    gradient: &Tensor<1>,
    damping: f64,
    within: f64,
    most: usize,
    mut go: impl FnMut() -> bool,
) -> Result<Solution, FlatnessError> {
    let mut found = gradient.zeros_like();
    let mut residual = gradient.clone();
    let mut direction = -gradient.clone();
    let mut square = dot(&residual, &residual);
    let (mut products, mut negative_curvature) = (0, false);
    let (mut largest, mut rounding) = (0.0_f64, 0.0);
    while products < most && square.sqrt() > within {
        let product = matrix.product(&direction)? + direction.clone() * damping;
        products += 1;
        let curvature = dot(&direction, &product);
        let length = dot(&direction, &direction);
        // The largest eigenvalue as far as it is known.
        largest = largest.max((dot(&product, &product) / length).sqrt());
        rounding = precision(matrix, epsilon(gradient)) * largest;
        if curvature <= rounding * length {
            negative_curvature = curvature < -rounding * length;
            if products == 1 {
                return Ok(Solution {
                    slope: -square,
                    curvature: curvature - damping * square,
                    direction,
                    products,
                    negative_curvature,
                    steepest: true,
                    rounding,
                });
            }
            break;
        }
        let step = square / curvature;
        found = found + direction.clone() * step;
        residual = residual + product * step;
        let before = square;
        square = dot(&residual, &residual);
        direction = direction * (square / before) - residual.clone();
        if !go() {
            break;
        }
    }
    // The residual is (B + λI) p + g.
    let slope = dot(gradient, &found);
    let curvature = dot(&found, &residual) - slope - damping * dot(&found, &found);
    Ok(Solution {
        direction: found,
        slope,
        curvature,
        products,
        negative_curvature,
        steepest: false,
        rounding,
    })
}
