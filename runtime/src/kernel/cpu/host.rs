//! Tensors whose numbers lie in this program's memory.

use std::borrow::Cow;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Shape, TensorData};

use super::memory::keep_freed;

/// A backend that computes where the program runs. Its tensors here are single precision.
pub trait Host: Backend {
    /// The numbers, row by row; copied where they lie in another order.
    fn read(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]>;

    /// Changes the numbers in place where nobody else holds them, else a copy of them.
    fn update(tensor: FloatTensor<Self>, change: impl FnOnce(&mut [f32])) -> FloatTensor<Self> {
        Self::change(tensor, change).0
    }

    /// As [`update`](Self::update), with what `change` gives.
    fn change<R>(
        tensor: FloatTensor<Self>,
        change: impl FnOnce(&mut [f32]) -> R,
    ) -> (FloatTensor<Self>, R);

    /// A tensor of these numbers, where `like` is.
    fn make(
        values: Vec<f32>,
        shape: impl Into<Shape>,
        like: &FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        keep_freed();
        Self::float_from_data(TensorData::new(values, shape), &like.device())
    }
}

#[cfg(feature = "flex")]
impl Host for burn::backend::Flex {
    fn read(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
        match tensor.as_slice::<f32>() {
            Some(values) => Cow::Borrowed(values),
            None => {
                let copy = tensor.to_contiguous().into_data();
                Cow::Owned(copy.try_into_vec().unwrap_or_default())
            }
        }
    }

    fn change<R>(
        mut tensor: FloatTensor<Self>,
        change: impl FnOnce(&mut [f32]) -> R,
    ) -> (FloatTensor<Self>, R) {
        let whole = tensor.as_slice::<f32>().map(<[f32]>::len);
        if whole == Some(tensor.storage::<f32>().len())
            && let Some(values) = tensor.try_storage_mut()
        {
            let result = change(values);
            return (tensor, result);
        }
        let mut values = Self::read(&tensor).into_owned();
        let result = change(&mut values);
        (Self::make(values, tensor.shape(), &tensor), result)
    }
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)] // Upstream, in favour of flex; supported here all the same.
impl Host for burn::backend::NdArray {
    fn read(tensor: &FloatTensor<Self>) -> Cow<'_, [f32]> {
        use burn::backend::ndarray::NdArrayTensor;
        let NdArrayTensor::F32(storage) = tensor else {
            return Cow::Borrowed(&[]);
        };
        let view = storage.view();
        match view.to_slice() {
            Some(values) => Cow::Borrowed(values),
            None => Cow::Owned(view.iter().copied().collect()),
        }
    }

    fn change<R>(
        mut tensor: FloatTensor<Self>,
        change: impl FnOnce(&mut [f32]) -> R,
    ) -> (FloatTensor<Self>, R) {
        use burn::backend::ndarray::NdArrayTensor;
        if let NdArrayTensor::F32(storage) = &mut tensor
            && storage.is_owned()
            && storage.is_unique()
            && let array = storage.ensure_owned()
            && array.is_standard_layout()
            && let Some(values) = array.as_slice_mut()
        {
            let result = change(values);
            return (tensor, result);
        }
        let mut values = Self::read(&tensor).into_owned();
        let result = change(&mut values);
        (Self::make(values, tensor.shape(), &tensor), result)
    }
}
