//! Symmetric matrices that are known by their products with vectors.

use burn::tensor::{DType, Device, Tensor};

use super::{FlatnessError, Watch};

/// A symmetric matrix that nobody writes out: what it does to a vector is all that is known of it.
///
/// Everything in this module that asks for eigenvalues, traces or densities takes one, so a
/// matrix of your own is measured as a Hessian is:
///
/// ```
/// use kiln::Tensor;
/// use kiln::flatness::{FlatnessError, Operator};
///
/// /// `2 I`.
/// struct Twice(Tensor<1>);
///
/// impl Operator for Twice {
///     fn zeros(&self) -> Tensor<1> {
///         self.0.zeros_like()
///     }
///
///     fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError> {
///         Ok(vectors.iter().map(|vector| vector.clone() * 2.0).collect())
///     }
/// }
///
/// let device = kiln::device::default_device()?;
/// let twice = Twice(Tensor::zeros([3], &device));
/// let product = twice.product(&Tensor::ones([3], &device))?;
/// assert_eq!(product.to_data().to_vec::<f32>().unwrap(), [2.0; 3]);
/// # Ok::<(), kiln::Error>(())
/// ```
pub trait Operator {
    /// A vector of zeros: the length, the device and the precision of those it acts on.
    fn zeros(&self) -> Tensor<1>;

    /// The products with `vectors`, each of the length of [`zeros`](Self::zeros).
    ///
    /// # Errors
    ///
    /// A vector of another length, or what the products need cannot be had: data, finite
    /// numbers.
    fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError>;

    /// The product with one vector.
    ///
    /// # Errors
    ///
    /// As for [`products`](Self::products).
    fn product(&self, vector: &Tensor<1>) -> Result<Tensor<1>, FlatnessError> {
        let products = self.products(std::slice::from_ref(vector))?;
        products.into_iter().next().ok_or(FlatnessError::Length {
            expected: 1,
            found: 0,
        })
    }

    /// The number of rows, and of columns.
    fn size(&self) -> usize {
        self.zeros().dims()[0]
    }

    /// What of the products is not exact; nothing where they are.
    fn approximations(&self) -> Vec<Approximation> {
        Vec::new()
    }

    /// Who watches what is measured with it.
    fn watch(&self) -> Watch {
        Watch::silent()
    }
}

/// What of a derivative is a difference and no exact rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Approximation {
    /// The layer at this path has no tangent rule: its own derivative is a central difference of
    /// it.
    Layer(String),
    /// The product is a central difference of two gradients.
    Gradients,
}

/// A symmetric matrix that is written out, for comparison.
///
/// ```
/// use kiln::Tensor;
/// use kiln::flatness::{Matrix, Operator};
///
/// let device = kiln::device::default_device()?;
/// let matrix = Matrix::new(Tensor::from_floats([[2.0, 1.0], [1.0, 2.0]], &device))?;
/// let product = matrix.product(&Tensor::ones([2], &device))?;
/// assert_eq!(product.to_data().to_vec::<f32>().unwrap(), [3.0, 3.0]);
/// # Ok::<(), kiln::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Matrix(Tensor<2>);

impl Matrix {
    /// The operator of `matrix`.
    ///
    /// # Errors
    ///
    /// Where the matrix is not square.
    pub fn new(matrix: Tensor<2>) -> Result<Matrix, FlatnessError> {
        let [rows, columns] = matrix.dims();
        if rows != columns || rows == 0 {
            let found = format!("{rows} by {columns}");
            return Err(FlatnessError::argument(
                "matrix",
                found,
                "square and not empty",
            ));
        }
        Ok(Matrix(matrix))
    }
}

impl Operator for Matrix {
    fn zeros(&self) -> Tensor<1> {
        let [size, _] = self.0.dims();
        Tensor::zeros([size], (&self.0.device(), self.0.dtype()))
    }

    fn products(&self, vectors: &[Tensor<1>]) -> Result<Vec<Tensor<1>>, FlatnessError> {
        lengths(self.size(), vectors)?;
        let products = vectors.iter().map(|vector| {
            let column = vector.clone().unsqueeze_dim::<2>(1);
            self.0.clone().matmul(column).squeeze_dim(1)
        });
        Ok(products.collect())
    }
}

/// Refuses vectors of another length.
/// `vector` where others are, in their precision.
pub(crate) fn brought(vector: &Tensor<1>, device: &Device, dtype: DType) -> Tensor<1> {
    let vector = vector.clone().inner();
    let vector = match vector.device() == *device {
        true => vector,
        false => vector.to_device(device),
    };
    vector.cast(dtype)
}

pub(crate) fn lengths(expected: usize, vectors: &[Tensor<1>]) -> Result<(), FlatnessError> {
    let mut found = vectors.iter().map(|vector| vector.dims()[0]);
    match found.find(|found| *found != expected) {
        Some(found) => Err(FlatnessError::Length { expected, found }),
        None => Ok(()),
    }
}
