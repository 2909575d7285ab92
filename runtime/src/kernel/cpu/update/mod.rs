//! Steps of optimizers, each in one pass over a parameter, its gradient and its state.
//!
//! Every number goes through the operations of Burn's own optimizer in their order, so the result
//! is Burn's to the bit; LARS, which Burn has not, is SGD's step at a rate of its own. What is saved is memory traffic: Burn reads and writes whole tensors for
//! each operation.

mod adam;
mod lars;
mod sgd;
mod squares;

pub use adam::Adam;
pub use lars::Lars;
pub use sgd::Sgd;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Tensor};

use super::host::Host;
use crate::device;

/// Whether these tensors can be updated here: single precision, in this program's memory, of one
/// shape, and outside of any graph.
pub fn fits<const D: usize, const N: usize>(tensors: [&Tensor<D>; N]) -> bool {
    tensors.iter().all(|tensor| {
        let device = tensor.device();
        tensor.dtype() == DType::F32
            && device::is_host(&device)
            && !device.is_autodiff()
            && tensor.dims() == tensors[0].dims()
    })
}

/// SGD without momentum: the parameter after the step.
pub fn sgd<const D: usize>(parameter: Tensor<D>, gradient: Tensor<D>, step: Sgd) -> Tensor<D> {
    let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
    Tensor::from_dispatch(Dispatch::sgd(parameter, gradient, step))
}

/// SGD with momentum: the parameter and the velocity after the step.
pub fn momentum<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Tensor<D>,
    step: Sgd,
) -> (Tensor<D>, Tensor<D>) {
    let (parameter, velocity) = Dispatch::momentum(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        velocity.into_dispatch(),
        step,
    );
    let velocity = Tensor::from_dispatch(velocity);
    (Tensor::from_dispatch(parameter), velocity)
}

/// LARS: the parameter and the velocity after the step. Without momentum there is no velocity.
pub fn lars<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: Lars,
) -> (Tensor<D>, Option<Tensor<D>>) {
    if step.momentum == 0.0 {
        let (parameter, gradient) = (parameter.into_dispatch(), gradient.into_dispatch());
        let parameter = Dispatch::lars(parameter, gradient, step);
        return (Tensor::from_dispatch(parameter), velocity);
    }
    let velocity = velocity.unwrap_or_else(|| parameter.zeros_like());
    let (parameter, velocity) = Dispatch::lars_momentum(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        velocity.into_dispatch(),
        step,
    );
    let velocity = Tensor::from_dispatch(velocity);
    (Tensor::from_dispatch(parameter), Some(velocity))
}

/// Adam and AdamW: the parameter and both moments after the step.
pub fn adam<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: [Tensor<D>; 2],
    step: Adam,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let [moment_1, moment_2] = moments.map(Tensor::into_dispatch);
    let (parameter, moment_1, moment_2) = Dispatch::adam(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moment_1,
        moment_2,
        step,
    );
    let moments = [moment_1, moment_2].map(Tensor::from_dispatch);
    (Tensor::from_dispatch(parameter), moments)
}

/// The sum of all numbers' squares.
pub fn squares<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::squares(tensor.into_dispatch()))
}

/// The steps as operations of Burn's backends on the processor. Tensors [fit](fits).
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray")
)]
pub trait Updates: Backend {
    fn sgd(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: Sgd,
    ) -> FloatTensor<Self>;

    fn momentum(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        step: Sgd,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn lars(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: Lars,
    ) -> FloatTensor<Self>;

    fn lars_momentum(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
        step: Lars,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    fn adam(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        step: Adam,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn squares(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
}

macro_rules! on_host {
    ($(#[$attribute:meta])* $backend:ty) => {
        $(#[$attribute])*
        impl Updates for $backend {
            fn sgd(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                step: Sgd,
            ) -> FloatTensor<Self> {
                let gradient = Self::read(&gradient);
                Self::update(parameter, |parameter| step.plain(parameter, &gradient))
            }

            fn momentum(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                velocity: FloatTensor<Self>,
                step: Sgd,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                let gradient = Self::read(&gradient);
                Self::change(parameter, |parameter| {
                    Self::update(velocity, |velocity| {
                        step.momentum(parameter, &gradient, velocity);
                    })
                })
            }

            fn lars(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                step: Lars,
            ) -> FloatTensor<Self> {
                let gradient = Self::read(&gradient);
                Self::update(parameter, |parameter| step.plain(parameter, &gradient))
            }

            fn lars_momentum(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                velocity: FloatTensor<Self>,
                step: Lars,
            ) -> (FloatTensor<Self>, FloatTensor<Self>) {
                let gradient = Self::read(&gradient);
                Self::change(parameter, |parameter| {
                    Self::update(velocity, |velocity| {
                        step.momentum(parameter, &gradient, velocity);
                    })
                })
            }

            fn adam(
                parameter: FloatTensor<Self>,
                gradient: FloatTensor<Self>,
                moment_1: FloatTensor<Self>,
                moment_2: FloatTensor<Self>,
                step: Adam,
            ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
                let gradient = Self::read(&gradient);
                let (parameter, (moment_1, moment_2)) = Self::change(parameter, |parameter| {
                    Self::change(moment_1, |moment_1| {
                        Self::update(moment_2, |moment_2| {
                            step.run(parameter, &gradient, moment_1, moment_2);
                        })
                    })
                });
                (parameter, moment_1, moment_2)
            }

            fn squares(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
                let sum = squares::sum(&Self::read(&tensor));
                Self::make(vec![sum], [1], &tensor)
            }
        }
    };
}

#[cfg(feature = "flex")]
on_host!(burn::backend::Flex);
#[cfg(feature = "ndarray")]
on_host!(
    #[allow(deprecated)]
    burn::backend::NdArray
);
