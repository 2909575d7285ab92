//! Adaptive max pooling: as many windows as are asked for, whatever the input's size.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};

use super::kept::Kept;
use crate::tangent::{Dual, Pass, Tangent, value_of};

/// The largest number of each window, over the axes behind the channels: of an axis of `n` numbers,
/// window `i` of `m` is `floor(i n / m)..ceil((i + 1) n / m)`, as in PyTorch.
///
/// The gradient goes to that number, of equal ones to the first.
#[derive(Module, Debug)]
pub struct AdaptiveMaxPool {
    /// How many windows there are along each axis.
    pub output_size: Vec<usize>,
    #[module(skip)]
    kept: Kept<Tensor<1, Int>>,
}

impl AdaptiveMaxPool {
    /// The layer, with so many windows along each axis.
    pub fn new(output_size: impl Into<Vec<usize>>) -> Self {
        AdaptiveMaxPool {
            output_size: output_size.into(),
            kept: Kept::new(),
        }
    }

    /// `[batch, channels, ..]` to `[batch, channels, windows, ..]`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        value_of(self, input)
    }

    fn largest<const D: usize>(&self, input: Dual<D>, axis: usize, outputs: usize) -> Dual<D> {
        let mut dims = input.dims();
        let size = dims[axis];
        let windows = (0..outputs).map(|i| i * size / outputs..((i + 1) * size).div_ceil(outputs));
        let widest = windows.clone().map(|window| window.len()).max();
        let widest = widest.unwrap_or_default();
        // Else the windows lie side by side as they are.
        let input = if outputs * widest == size {
            input
        } else {
            // A shorter window is filled up with its last number, which changes no maximum.
            let indices = self
                .kept
                .of([size, outputs], &input.value.device(), |device| {
                    let indices = windows.flat_map(|window| {
                        (window.start..window.start + widest)
                            .map(move |i| i.min(window.end - 1) as i64)
                    });
                    let indices = TensorData::new(indices.collect(), [outputs * widest]);
                    Tensor::from_data(indices, device)
                });
            input.linear(|x| x.select(axis, indices.clone()))
        };
        let [before, behind] = [&dims[..axis], &dims[axis + 1..]].map(|dims| dims.iter().product());
        let windows = input.reshape([before, outputs, widest, behind]);
        dims[axis] = outputs;
        windows.max_dim(2).reshape(dims)
    }
}

impl<const D: usize> Tangent<Dual<D>, Dual<D>> for AdaptiveMaxPool {
    fn forward_dual(&self, _: Option<&Self>, input: Dual<D>, _: &mut Pass) -> Dual<D> {
        // The last axis first, so that of equal numbers the first is taken row by row.
        let axes = self.output_size.iter().enumerate().rev();
        axes.fold(input, |input, (axis, &outputs)| {
            self.largest(input, axis + 2, outputs)
        })
    }
}
