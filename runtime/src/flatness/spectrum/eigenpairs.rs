//! What the ends of a spectrum say.

use burn::tensor::Tensor;

use crate::flatness::Approximation;

/// An eigenvalue and its eigenvector, with what is not known of them.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Eigenpair {
    /// The eigenvalue θ: of a Hessian, a curvature, in units of the loss per squared unit of the
    /// weights.
    pub value: f64,
    /// The residual norm |A y - θ y| and the [error](Spectrum::rounding) of the products: an
    /// eigenvalue lies within this distance of θ.
    pub residual: f64,
    /// The eigenvector y, of length one, on the operator's device.
    #[serde(skip)]
    pub vector: Tensor<1>,
}

/// The ends of a spectrum, as [`Lanczos`](super::Lanczos) finds them.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Spectrum {
    /// The largest eigenvalues, from the largest down.
    pub top: Vec<Eigenpair>,
    /// The smallest eigenvalues, from the smallest up.
    pub bottom: Vec<Eigenpair>,
    /// The products that it took.
    pub products: usize,
    /// Whether all that were asked for are here and as exact as was asked for.
    pub complete: bool,
    /// What errors of the products may change of an eigenvalue: by the precision of the numbers,
    /// or of differences where there are [approximations](Self::approximations), and by how far
    /// the products were from those of a symmetric matrix, as they show it on their way. It is an
    /// estimate: an error that is symmetric itself does not show.
    pub rounding: f64,
    /// What of the products was not exact.
    pub approximations: Vec<Approximation>,
}

/// What the curvature says of a point where the gradient is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CriticalPoint {
    /// It curves upwards in all directions.
    Minimum,
    /// It curves downwards in all directions.
    Maximum,
    /// It curves upwards in one direction and downwards in another.
    Saddle,
    /// Zero is within the errors, or the end that would tell was not asked for.
    Undecided,
}

/// The largest over the smallest eigenvalue, of a definite operator.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct ConditionNumber {
    /// The quotient.
    pub value: f64,
    /// What it is at least, by the eigenvalues' residuals.
    pub lower: f64,
    /// What it is at most: infinite where the smallest eigenvalue may be zero.
    pub upper: f64,
}

impl Spectrum {
    /// What kind of critical point has such a Hessian, decided within the error bounds.
    ///
    /// A curvature that was found is there, whatever its residual, but for the
    /// [error](Self::rounding) of the products: one upwards and one downwards are a
    /// [saddle](CriticalPoint::Saddle). A [minimum](CriticalPoint::Minimum) takes a smallest
    /// eigenvalue, asked for by [`bottom`](super::Lanczos::bottom), that is positive by more than
    /// its residual, and a [maximum](CriticalPoint::Maximum) a largest that is negative by more
    /// than that. The spectrum of a network's Hessian nearly always reaches zero or below.
    ///
    /// It is for the gradient to say that the point is critical at all: see
    /// [`newton_step`](Self::newton_step).
    ///
    /// ```
    /// use kiln::Tensor;
    /// use kiln::flatness::{CriticalPoint, Lanczos, Matrix};
    ///
    /// let device = kiln::device::default_device()?;
    /// let matrix = Matrix::new(Tensor::from_floats([[1.0, 3.0], [3.0, 1.0]], &device))?;
    /// let spectrum = Lanczos::new().top(1).bottom(1).run(&matrix)?;
    /// assert_eq!(spectrum.critical_point(), CriticalPoint::Saddle);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub fn critical_point(&self) -> CriticalPoint {
        let mut values = self.top.iter().chain(&self.bottom).map(|pair| pair.value);
        let upwards = values.clone().any(|value| value > self.rounding);
        let downwards = values.any(|value| value < -self.rounding);
        let smallest = self.bottom.first().filter(|_| self.complete);
        let largest = self.top.first().filter(|_| self.complete);
        if upwards && downwards {
            CriticalPoint::Saddle
        } else if smallest.is_some_and(|pair| pair.value > pair.residual) {
            CriticalPoint::Minimum
        } else if largest.is_some_and(|pair| pair.value < -pair.residual) {
            CriticalPoint::Maximum
        } else {
            CriticalPoint::Undecided
        }
    }

    /// How far a minimum or a maximum is from a point whose gradient has this norm, at most, were
    /// the loss a quadratic: the length of the Newton step |H⁻¹ g| ≤ |g| / min |λ|, in units of
    /// the weights. Nothing where the kind of point is not decided, and for a saddle, whose
    /// smallest curvature lies inside of the spectrum.
    pub fn newton_step(&self, gradient_norm: f64) -> Option<f64> {
        let nearest = match self.critical_point() {
            CriticalPoint::Minimum => self.bottom.first(),
            CriticalPoint::Maximum => self.top.first(),
            CriticalPoint::Saddle | CriticalPoint::Undecided => None,
        };
        nearest.map(|pair| gradient_norm / (pair.value.abs() - pair.residual))
    }

    /// The condition number: the largest over the smallest absolute eigenvalue. Nothing where one
    /// of the two ends was not asked for, and for an operator that is not definite, whose smallest
    /// absolute eigenvalue lies inside of the spectrum.
    ///
    /// ```
    /// use kiln::Tensor;
    /// use kiln::flatness::{Lanczos, Matrix};
    ///
    /// let device = kiln::device::default_device()?;
    /// let matrix = Matrix::new(Tensor::from_floats([[2.0, 1.0], [1.0, 2.0]], &device))?;
    /// let spectrum = Lanczos::new().top(1).bottom(1).run(&matrix)?;
    /// let condition = spectrum.condition_number().unwrap();
    /// assert!(condition.lower <= 3.0 && 3.0 <= condition.upper);
    /// # Ok::<(), kiln::Error>(())
    /// ```
    pub fn condition_number(&self) -> Option<ConditionNumber> {
        let (top, bottom) = (self.top.first()?, self.bottom.first()?);
        let (large, small) = match top.value + bottom.value >= 0.0 {
            true => (top, bottom),
            false => (bottom, top),
        };
        // Of one sign, the larger's.
        let small_value = small.value * large.value.signum();
        if small_value + small.residual <= 0.0 || large.value == 0.0 {
            return None;
        }
        let large_value = large.value.abs();
        let least = small_value - small.residual;
        Some(ConditionNumber {
            value: match small_value > 0.0 {
                true => large_value / small_value,
                false => f64::INFINITY,
            },
            lower: (large_value - large.residual).max(0.0) / (small_value + small.residual),
            upper: match least > 0.0 {
                true => (large_value + large.residual) / least,
                false => f64::INFINITY,
            },
        })
    }
}
